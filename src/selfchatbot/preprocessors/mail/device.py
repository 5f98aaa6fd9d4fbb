"""What phones and mail programs put below a mail: "Sent from my iPhone", in the language of the phone.

Forms: iOS's and Samsung's standard signatures, as mails in public archives end and parsers of replies list them.
English ones are known by their words alone; in other languages, the name of a device or program has to stand where the
phone puts it, and nothing else but its model, since "enviado desde mi pueblo" is what somebody types.
"""

import re

ENGLISH = re.compile(
    r"Sent from (?:my [\w ]{2,40}|Yahoo Mail\b.*|Mail for Windows\b.*|Outlook\b.*)|Get Outlook for (?:iOS|Android)\b.*"
)
_NAMES = (
    "iPhone|iPad|iPod|Samsung|Galaxy|Huawei|Honor|Xiaomi|Redmi|Poco|OnePlus|Oppo|Realme|Motorola|Moto|Nokia|Sony|Xperia"
    "|LG|HTC|BlackBerry|Pixel|Android|Outlook"
)
_DEVICE = rf"(?:smartphone[ -]|tablet[ -])?(?i:{_NAMES})(?:[ -](?:[A-Z0-9+][^\s-]*|smartphone|tablet|phone|mobile))*"
_FORMS = (
    "Von meinem {} gesendet",
    "Gesendet von meinem {}",
    "Envoyé de mon {}",
    "Envoyé depuis mon {}",
    "Enviado desde mi {}",
    "Inviato da {}",
    "Inviato dal mio {}",
    "Enviado do meu {}",
    "Enviado a partir do meu {}",
    "Verstuurd vanaf mijn {}",
    "Verzonden vanaf mijn {}",
    "Skickat från min {}",
    "Sendt fra min {}",
    "Lähetetty {}i?sta",
    "Wysłane z {}['’]?a?",
    "Odesláno z (?:iPhonu|iPadu)",
    "Отправлено с {}",
    "Надіслано з {}",
    "Trimis de pe {}(?:-ul meu)?",
    "{}['’](?:umdan|imden) gönderildi",
    "Đã gửi từ {} của tôi",
    "נשלח מה-{} שלי",
    "(?:나의 ?)?{}에서 보냄",
    "{} ?から送信",
    "[发發]自我的 ?{}",
    "從我的 ?{} ?(?:傳送|寄出)",
)
_ABROAD = re.compile("|".join(form.replace("{}", _DEVICE) for form in _FORMS))


def is_signature(lines: list[str]) -> bool:
    """Whether the last of ``lines`` is what a phone signs with, below a blank line or alone."""
    last = lines[-1].strip().replace("\xa0", " ")
    if ENGLISH.fullmatch(last):
        return True
    below_blank = len(lines) == 1 or not lines[-2].strip()
    return below_blank and _ABROAD.fullmatch(last.rstrip(".。")) is not None
