"""What preprocess replaces or leaves out."""

from datetime import date

from pydantic import ConfigDict, Field, field_validator, model_validator

from selfchatbot.parameters.base import Parameters


class RedactOptions(Parameters):
    """What is replaced by a placeholder in everything that preprocess writes."""

    payment_cards: bool = Field(True, description="Card numbers with a valid check digit: `[card]`.")
    ibans: bool = Field(True, description="Bank account numbers with valid check digits: `[IBAN]`.")
    passwords: bool = Field(
        True, description="Whatever follows a word for password, PIN or key, in 30 languages: `[password]`."
    )
    access_tokens: bool = Field(True, description="API keys, bearer tokens, private keys: `[token]`.")
    one_time_codes: bool = Field(True, description="Digits next to a word for code, PIN or TAN: `[code]`.")
    emails: bool = Field(False, description="E-mail addresses: `[email]`.")
    phone_numbers: bool = Field(
        False, description="Valid phone numbers, and mentions such as `@491701234567`: `[phone]`."
    )
    phone_region: str | None = Field(
        None,
        description='The country whose phone numbers are written without `+`, as two capital letters: `"DE"`, `"US"`.',
    )
    links: bool = Field(False, description="Web links: `[link]`.")
    street_addresses: bool = Field(
        False, description="Street and house number, where the words show that it is an address: `[address]`."
    )
    words: tuple[str, ...] = Field(
        (), strict=False, description="Words and names of your choice, as whole words, in any case: `[private]`."
    )

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None:
            import phonenumbers

            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError('a country as two capital letters, such as "DE" or "US"')
        return region


class DateRange(Parameters):
    """A range of days including both ends; a missing end is open."""

    model_config = ConfigDict(validate_by_name=True)

    first: date | None = Field(None, alias="from", strict=False, description="First day, `YYYY-MM-DD`.")
    last: date | None = Field(None, alias="to", strict=False, description="Last day, `YYYY-MM-DD`.")

    @model_validator(mode="after")
    def _forward(self) -> "DateRange":
        if self.first and self.last and self.first > self.last:
            raise ValueError('a day "from" that is not after "to"')
        return self


class ExcludeOptions(Parameters):
    """Whom and what to leave out: others may not want to be part of this."""

    contacts: tuple[str, ...] = Field(
        (),
        strict=False,
        description="People, by any name they have in an export or in `contacts`: neither their words nor their names "
        "nor your direct answers to them are written anywhere.",
    )
    chats: tuple[str, ...] = Field((), strict=False, description="Chats, by name; `*` matches anything.")
    dates: tuple[DateRange, ...] = Field(
        (),
        strict=False,
        description='Days: `{"from": "2020-01-01", "to": "2020-06-30"}`; one end may be left out. They refer to the '
        "times in the export, which are in UTC for Discord's JSON, Slack, Messenger, Instagram and SMS.",
    )
