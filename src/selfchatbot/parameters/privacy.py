"""What never enters the outputs of preprocess, or not as it was written."""

from datetime import date

from pydantic import ConfigDict, Field, field_validator, model_validator

from selfchatbot.parameters.base import Parameters


class RedactOptions(Parameters):
    """What is replaced by a placeholder of its kind, in everything that preprocess writes."""

    payment_cards: bool = Field(True, description="Card numbers with a right check digit: `[card]`.")
    ibans: bool = Field(True, description="Bank account numbers with right check digits: `[IBAN]`.")
    passwords: bool = Field(
        True, description="What follows a word for password, PIN or key, in 30 languages: `[password]`."
    )
    access_tokens: bool = Field(True, description="API keys, bearer tokens, private keys: `[token]`.")
    one_time_codes: bool = Field(True, description="Digits beside a word for code, PIN or TAN: `[code]`.")
    emails: bool = Field(False, description="E-mail addresses: `[email]`.")
    phone_numbers: bool = Field(False, description="Phone numbers that could be dialled: `[phone]`.")
    phone_region: str | None = Field(
        None,
        description='Country whose numbers are written without `+`, as two capitals: `"DE"`, `"US"`.',
    )
    links: bool = Field(False, description="Links to the web: `[link]`.")
    street_addresses: bool = Field(
        False, description="Street and number, as far as it is told by its words: `[address]`."
    )
    words: tuple[str, ...] = Field(
        (), strict=False, description="Words and names of your own, whole and without regard to case: `[private]`."
    )

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None:
            import phonenumbers

            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError('a country as two capitals, such as "DE" or "US"')
        return region


class DateRange(Parameters):
    """Days, both included; a missing end is open."""

    model_config = ConfigDict(validate_by_name=True)

    first: date | None = Field(None, alias="from", strict=False, description="First day, `YYYY-MM-DD`.")
    last: date | None = Field(None, alias="to", strict=False, description="Last day, `YYYY-MM-DD`.")

    @model_validator(mode="after")
    def _forward(self) -> "DateRange":
        if self.first and self.last and self.first > self.last:
            raise ValueError('a day "from" that is not after "to"')
        return self


class ExcludeOptions(Parameters):
    """What never enters: the right of others to be left out."""

    contacts: tuple[str, ...] = Field(
        (),
        strict=False,
        description="People, by a name they have in an export or in `contacts`: neither their words nor their names "
        "are written anywhere, nor what you answered to them directly.",
    )
    chats: tuple[str, ...] = Field((), strict=False, description="Chats, by name; `*` stands for anything.")
    dates: tuple[DateRange, ...] = Field(
        (),
        strict=False,
        description='Days: `{"from": "2020-01-01", "to": "2020-06-30"}`; one end may be missing. They are those of '
        "the export's times: in UTC for Discord's JSON, Slack, Messenger, Instagram and SMS.",
    )
