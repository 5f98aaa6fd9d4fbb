"""What Messenger and Instagram write into a chat in somebody's name: attachments, reactions, calls, groups.

The export has these sentences among the messages, in the language of the account that was exported. Most begin with
the name of a member or with a word for "you" and end in one of the predicates below; the others are known as a whole.
Both are narrow on purpose: a notice that stays is a nuisance, a message that is lost is a loss. English, German,
Spanish, French and partly Polish and Vietnamese are as exports and the lists of public programs have them; for Italian,
Portuguese, Dutch and Turkish none with more than a few was found.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

YOU = frozenset(("You", "Du", "Vous", "Tu", "Hai", "Você", "Je", "Bạn"))
CONTACT = "A contact"
"""Stands for the name of somebody whose account is gone."""
USER_NAMED = re.compile(r"(?:Użytkownik|Użytkowniczka) ")
"""Polish puts a noun before the name."""

PREDICATES = {
    "English": (
        r"sent (?:an attachment|a photo|\d+ photos|a video|a link|a GIF|a sticker|a voice message|a file)",
        r"sent a (?:live location|location|post|reel|story highlight|contact)",
        r"shared a (?:story|post|reel|link|live video)",
        r"(?:liked|pinned|unpinned|unsent) a message",
        r"reacted \S+ to your message",
        r"missed (?:a|your) (?:video |audio |voice )?(?:call|chat)(?: (?:from|with) .+)?",
        r"(?:started|joined|ended) (?:a|an|the) (?:video |audio |voice |group )?(?:call|chat)",
        r"called (?:you|a contact|{member})|waved at (?:you|a contact)!?|(?:joined|left) the video chat",
        r"waved at {member}!|waved at {member}",
        r"is (?:now|no longer) an? (?:group )?admin|made (?:you|{member}) an? (?:group )?admin|added participants",
        r"(?:added|removed) .+ as an? (?:group )?admin|removed the (?:group (?:name|photo)|nickname for .+)",
        r"changed the (?:chat )?(?:theme|colors?)(?: to .+)?|set the chat theme to .+|turned (?:on|off) link sharing",
        r"mentioned (?:you|{member}) in (?:a|their|his|her) story|(?:started|created) (?:a plan|an event)(?:: .+)?",
        r"started sharing (?:video|their screen|your screen)",
        r"(?:left|created) the group|joined the group(?: via .+)?",
        r"(?:added|removed) (?!(?:me|us|him|her|them|someone)\b).+ (?:to|from) the group",
        r"named the group .+|changed the (?:group photo|group name|group description|chat theme|theme to .+)",
        r"set the (?:quick reaction|emoji) to .+|set the nickname for .+ to .+|set .+ as the word effect for .+",
        r"set (?:your|his|her|their)(?: own)? nickname to .+",
        r"cleared (?:the nickname for .+|(?:your|his|her|their)(?: own)? nickname)",
        r"created a poll(?:: .+)?|voted for .+ in the poll|(?:changed|removed) (?:their|your) vote .+ in the poll",
        r"made .+ a group admin|removed .+ as a group admin",
        r"turned (?:on|off) (?:member approval|disappearing messages).*",
        r"can now message and call each other.*|are now connected on Messenger",
        r"wasn['’]t notified about this message.*",
    ),
    "German": (
        r"(?:hat|hast|haben) (?:einen Anhang|ein Foto|\d+ Fotos|ein Video|einen Link|ein GIF|einen Sticker) gesendet",
        r"(?:hat|hast|haben) (?:eine Sprachnachricht|eine Datei|einen Live-Standort|einen Standort) gesendet",
        r"(?:hat|hast|haben) (?:eine Story|einen Beitrag|ein Reel) (?:geteilt|gesendet)",
        r"(?:hat|hast) mit \S+ auf (?:deine|eine) Nachricht reagiert",
        r"(?:hat|hast) eine Nachricht mit „Gefällt mir[“”] markiert",
        r"(?:hat|hast) (?:deinen|einen) (?:Anruf|Videoanruf|Video-Anruf|Videochat)(?: von .+)? verpasst",
        r"(?:hat dich|hast {member}) angerufen|(?:hat|hast) einen (?:Anruf|Videoanruf|Videochat) gestartet",
        r"ist dem (?:Anruf|Videoanruf|Videochat) beigetreten|ist der Gruppe beigetreten",
        r"(?:hat|hast) die Gruppe (?:verlassen|erstellt)|(?:hat|hast) der Gruppe den Namen .+ gegeben",
        r"(?:hat|hast) .+ (?:zur Gruppe hinzugefügt|aus der Gruppe entfernt)",
        r"(?:hat|hast) (?:das Gruppenfoto|das Design|das Thema|den Spitznamen) .*(?:geändert|festgelegt)",
        r"(?:hat|hast) .*(?:Gruppenfoto|Chat-Design|Spitznamen|Emoji|Gruppennamen) .*(?:geändert|festgelegt|entfernt)",
        r"(?:ist|bist) (?:jetzt|nun|kein|nicht mehr) (?:ein )?(?:Gruppena|A)dministrator(?:in)?(?: mehr)?",
        r"(?:hat|hast) .+ als Administrator(?:in)? (?:hinzugefügt|entfernt)",
        r"(?:hat|hast) eine Umfrage erstellt(?:: .+)?",
        r"(?:hat|hast) eine Nachricht (?:angepinnt|fixiert|gelöst|zurückgenommen|zurückgerufen)",
    ),
    "French": (
        r"(?:a|avez|as) envoyé (?:une pièce jointe|une photo|\d+ photos|une vidéo|un lien|un GIF|un sticker)",
        r"(?:a|avez|as) envoyé (?:un autocollant|un message vocal|un fichier|une (?:position|localisation))",
        r"(?:a|avez|as) partagé (?:une story|une publication|un reel)|(?:a|avez|as) aimé un message",
        r"(?:a|avez|as) réagi (?:avec )?\S+ à (?:votre|ton) message",
        r"(?:a|avez|as) (?:manqué|raté) (?:votre|ton|un) appel(?: vidéo)?(?: de .+)?|(?:vous a|t['’]a) appelée?",
        r"(?:a|avez|as) (?:démarré|commencé|rejoint|quitté) (?:un |l['’])appel(?: vidéo)?(?: de groupe)?",
        r"(?:a|avez|as) (?:démarré|commencé|rejoint|quitté) (?:une|la) discussion(?: vidéo)?(?: de groupe)?",
        r"(?:a|avez|as) commencé à partager une vidéo",
        r"(?:a|avez|as) (?:quitté|créé) le groupe|(?:a|avez|as) (?:ajouté .+ au|retiré .+ du) groupe",
        r"(?:a|avez|as) (?:nommé le groupe .+|supprimé le nom du groupe|(?:changé|modifié) le thème .+)",
        r"(?:a|avez|as) (?:changé|modifié|retiré) (?:la photo (?:du|de) groupe|les couleurs de la discussion)",
        r"(?:a|avez|as) défini (?:l['’]emoji|(?:votre|ton|son propre) pseudo) sur .+|(?:a|avez|as) surnommé .+",
        r"(?:a|avez|as) (?:défini le pseudo de|choisi le pseudo|supprimé le pseudo de) .+",
        r"(?:a|avez|as) (?:effacé son propre|supprimé votre) pseudo",
        r"(?:est|êtes|es) (?:maintenant|désormais) administrat(?:eur|rice)",
        r"n['’](?:est|êtes|es) plus administrat(?:eur|rice)|(?:a|avez|as) épinglé un message",
        r"(?:a|avez|as) (?:souligné|questionné) (?:votre|ton) message|(?:a|avez|as) annulé l['’]envoi d['’]un message",
        r"(?:a|avez|as) (?:raté|terminé|rejoint) l['’]appel",
        r"(?:a|avez|as) (?:changé|modifié) le (?:thème|nom du groupe).*",
        r"(?:a|avez|as) (?:créé un sondage.*|(?:voté|(?:retiré|modifié) (?:son|votre) vote) pour « .+)",
    ),
    "Spanish": (
        r"(?:envió|ha enviado) (?:un archivo adjunto|una foto|\d+ fotos|un v[ií]deo|un enlace|un GIF|un sticker)",
        r"(?:envió|ha enviado) (?:un mensaje de voz|una nota de voz|una ubicación|una publicación)",
        r"(?:compartió|ha compartido) (?:una historia|una publicación|un reel)",
        r"(?:reaccionó|ha reaccionado) con \S+ a tu mensaje|(?:indicó|ha indicado) que le gusta un mensaje",
        r"(?:perdió|ha perdido) (?:tu|una) (?:llamada|videollamada|videochat)(?: de .+)?|te (?:llamó|ha llamado)",
        r"(?:inició|ha iniciado) (?:una|un) (?:llamada|videollamada|videochat)|se unió a la (?:llamada|videollamada)",
        r"(?:salió|ha salido) del grupo|(?:abandonó|ha abandonado|creó|ha creado) el grupo",
        r"(?:agregó|añadió|ha añadido|eliminó|ha eliminado) a .+ (?:al|del) grupo",
        r"(?:cambió|ha cambiado) (?:la foto del grupo|el tema .+|el nombre del grupo .+)",
        r"(?:ahora es|ya no es) administrador(?:a)?(?: del grupo)?|(?:creó|ha creado) una encuesta(?:: .+)?",
        r"(?:estableció|cambió|ha establecido|ha cambiado|eliminó) (?:el|tu|su) (?:apodo|emoji|tema)(?: .+)?",
        r"(?:fijó|anuló el envío de|canceló el envío de) un mensaje",
    ),
    "Italian": (
        r"(?:ha )?inviato (?:un allegato|una foto|\d+ foto|un video|un link|una GIF|un adesivo|uno sticker)",
        r"(?:ha )?inviato (?:un messaggio vocale|una posizione|un post|un reel)|(?:ha )?condiviso una storia",
        r"(?:ha )?reagito con \S+ al tuo messaggio|(?:ha )?messo [\"“]?Mi piace[\"”]? a un messaggio",
        r"(?:ha )?perso (?:la tua|una) (?:chiamata|videochiamata)(?: da .+)?|ti ha chiamato",
        r"(?:ha )?(?:avviato|iniziato) una (?:chiamata|videochiamata)",
        r"(?:ha )?(?:abbandonato|lasciato|creato) il gruppo|(?:ha )?(?:aggiunto .+ al|rimosso .+ dal) gruppo",
        r"(?:ha )?(?:cambiato|modificato) (?:l['’]immagine del gruppo|il tema .+)",
        r"(?:ora è|è ora|non è più) (?:un )?amministratore|(?:ha )?(?:impostato|cambiato) il soprannome .+",
        r"(?:ha )?creato un sondaggio(?:: .+)?|(?:ha )?annullato l['’]invio di un messaggio",
    ),
    "Portuguese": (
        r"(?:enviou|enviaste) (?:um anexo|uma foto|\d+ fotos|um vídeo|um link|um GIF|uma figurinha|um autocolante)",
        r"(?:enviou|enviaste) (?:uma mensagem de voz|uma localização|uma publicação)",
        r"(?:compartilhou|partilhou) (?:um story|uma história|uma publicação|um reel)|curtiu uma mensagem",
        r"reagiu com \S+ à (?:sua|tua) mensagem",
        r"perdeu (?:a sua|sua|a tua|uma) (?:chamada|chamada de vídeo|ligação)(?: de .+)?|(?:ligou para você|te ligou)",
        r"iniciou uma (?:chamada|chamada de vídeo|ligação|conversa por vídeo)|(?:saiu do|entrou no|criou o) grupo",
        r"(?:adicionou|removeu) .+ (?:ao|do) grupo|(?:alterou|mudou) (?:a foto do grupo|o tema .+)",
        r"(?:agora é|não é mais) (?:um )?administrador(?:a)?(?: do grupo)?|(?:definiu|alterou) o apelido .+",
        r"criou uma enquete(?:: .+)?|cancelou o envio de uma mensagem|fixou uma mensagem",
    ),
    "Dutch": (
        r"(?:heeft|hebt) (?:een (?:bijlage|foto|video|link|GIF|sticker)|\d+ foto['’]s) (?:verzonden|gestuurd)",
        r"(?:heeft|hebt) een (?:spraakbericht|locatie) (?:verzonden|gestuurd)|(?:heeft|hebt) een verhaal gedeeld",
        r"(?:heeft|hebt) met \S+ gereageerd op je bericht|(?:heeft|hebt) een bericht leuk gevonden",
        r"(?:heeft|hebt) (?:je|een) (?:oproep|video-oproep|videogesprek)(?: van .+)? gemist|heeft je gebeld",
        r"(?:heeft|hebt) de groep (?:verlaten|gemaakt)",
        r"(?:heeft|hebt) .+ (?:aan de groep toegevoegd|uit de groep verwijderd)",
        r"is (?:nu|niet langer|geen) (?:een )?beheerder(?: meer)?|(?:heeft|hebt) (?:het thema|de bijnaam) .+ gewijzigd",
    ),
    "Polish": (
        r"(?:przesłał(?:a|\(-?a\))?|przesyła) załącznik",
        r"(?:zmienił|ustawił)(?:a|\(-?a\))? (?:kolor czatu|motyw|pseudonim).*",
        r"(?:jest teraz|nie jest już) administratorem(?: grupy)?|utworzył(?:a|\(-?a\))? ankietę.*",
        r"wysłał(?:a|\(-?a\))? (?:załącznik|zdjęcie|\d+ zdję(?:cia|ć)|film|link|GIF|naklejkę|wiadomość głosową)",
        r"zareagował(?:a|\(-?a\))? \S+ na Twoją wiadomość|polubił(?:a|\(-?a\))? wiadomość",
        r"nie odebrał(?:a|\(-?a\))? Twojego połączenia(?: wideo)?|rozpoczął(?:\(ęła\))? (?:czat wideo|połączenie.*)",
        r"(?:opuścił|utworzył)(?:a|\(-?a\))? grupę|(?:dodał|usunął)(?:a|\(-?a\))? .+ (?:do|z) grupy",
        r"(?:zmienił|ustawił|usunął)(?:a|\(-?a\))? (?:zdjęcie grupy|nazwę grupy.*)",
        r"nadał(?:a|\(-?a\))? grupie nazwę .+|nazwał(?:a|\(-?a\))? grupę .+",
    ),
    "Vietnamese": (
        r"đã gửi (?:một |\d+ )?(?:file đính kèm|ảnh|video|nhãn dán|liên kết|tin nhắn thoại|vị trí)",
        r"đã (?:thu hồi|ghim|bỏ ghim) (?:một )?tin nhắn|đã (?:rời khỏi|tham gia|tạo) nhóm|đã đặt tên nhóm là .+",
        r"đã (?:đổi|thay đổi) (?:chủ đề|ảnh nhóm|tên nhóm|biệt danh).*|đã bỏ lỡ cuộc gọi.*",
    ),
    "Turkish": (
        r"(?:bir|\d+) (?:ek|fotoğraf|video|bağlantı|GIF|çıkartma|sesli mesaj|konum) gönderdi",
        r"mesajı(?:na|nıza) \S+ ifadesini bıraktı|bir mesajı beğendi|bir hikaye paylaştı",
        r"(?:görüntülü |sesli )?aramanı(?:zı)? (?:cevapsız bıraktı|kaçırdı)|seni aradı|gruptan ayrıldı",
    ),
}
WHOLE = (
    r"Reacted \S+ to your (?:message|story|note)|Liked (?:a message|your (?:message|story))",
    r"Unsent a message|This poll is no longer available\.",
    r"You waved at (?:a contact|your new .+ friend, .+)!|This chat is read-only\.",
    r"An admin, moderator or host removed .+ message\.|(?:User|You) unsent a message\.?",
    r"Messages and calls are secured with end-to-end encryption\..*",
    r"Đã bày tỏ cảm xúc \S+ về tin nhắn(?: của bạn)?|Đã thích (?:một )?tin nhắn",
    r"(?:The video call|The call|The video chat|Video chat|Audio call|Video call) ended\.?",
    r"Say hi to your new .+ friend, .+|You (?:started|missed) an? (?:video chat|video call|audio call)",
    r"Started an? (?:video chat|audio call|video call)\.?|Missed (?:video|audio|voice) (?:chat|call)\.?",
    r"You are now connected on Messenger\.?|You can now message and call each other.*",
    r"Hat mit \S+ auf (?:deine|eine) Nachricht reagiert|Mit \S+ auf (?:deine|eine) Nachricht reagiert",
    r"Hat eine Nachricht mit „Gefällt mir[“”] markiert|Gefällt eine Nachricht",
    r"(?:Der )?(?:Videochat|Videoanruf|Anruf|Audioanruf)(?: wurde)? beendet\.?",
    r"A réagi (?:avec )?\S+ à (?:votre|ton) message|A aimé un message",
    r"(?:L['’])?[Aa]ppel (?:vidéo |audio )?(?:est )?terminé\.?|(?:La d|D)iscussion vidéo (?:est )?terminée\.?",
    r"(?:Reaccionó|Ha reaccionado) con \S+ a tu mensaje",
    r"(?:Indicó que le|Le) gusta un mensaje|Le ha gustado un mensaje",
    r"(?:Enviaste|Has enviado) (?:un archivo adjunto|una foto|\d+ fotos|un v[ií]deo|un enlace|un GIF|un sticker)\.",
    r"(?:Enviaste|Has enviado) (?:un mensaje de voz|una nota de voz|una ubicación|una encuesta)\.",
    r"Te envió un archivo adjunto\.|(?:Compartiste|Has compartido) (?:una historia|una publicación|un reel)\.",
    r"(?:La )?(?:[Vv]ideollamada|[Ll]lamada|[Vv]ideochat) (?:finalizó|terminó|finalizada|ha finalizado)\.?",
    r"Ha reagito con \S+ al tuo messaggio|Ha messo [\"“]?Mi piace[\"”]? a un messaggio",
    r"Reagiu com \S+ à (?:sua|tua) mensagem|Curtiu uma mensagem",
    r"(?:A )?[Cc]hamada (?:de vídeo )?(?:encerrada|terminou)\.?",
    r"(?:Heeft )?[Mm]et \S+ gereageerd op je bericht|Vindt een bericht leuk",
    r"Zareagowano \S+ na Twoją wiadomość|(?:Polubiono|Lubi) wiadomość|Wysłano załącznik\.",
    r"Mesajı(?:na|nıza) \S+ ifadesini bıraktı|Bir mesajı beğendi|Bir ek gönderdin(?:iz)?\.",
)


def _predicates() -> re.Pattern[str]:
    """All predicates, each ``{member}`` as a group of its own."""
    together = "|".join(pattern for patterns in PREDICATES.values() for pattern in patterns)
    return re.compile(together.replace("{member}", "(.+)"))


_PREDICATES = _predicates()
_WHOLE = re.compile("|".join(WHOLE))


class Notices:
    """Knows the notices of one chat by the names of its members."""

    def __init__(self, members: Iterable[str]) -> None:
        self._members = {name for member in members for name in _called(member)}
        self._first_words = {name.split(maxsplit=1)[0] for name in {*YOU, *self._members}}

    def wrote(self, content: str, sender: str, attached: bool) -> bool:
        """Whether the app wrote ``content``, and not ``sender``; ``attached``: with a photo, a link or the like."""
        text = content.strip()
        if "\n" in text or len(text) > 400:
            return False
        if _WHOLE.fullmatch(text):
            return True
        text = USER_NAMED.sub("", text, count=1)
        first_word = text.partition(" ")[0]
        names = set(_called(sender))
        if first_word in self._first_words:
            names |= {*YOU, *self._members}
        elif text.startswith(CONTACT):
            names = {CONTACT}
        for name in names:
            if not text.startswith(f"{name} "):
                continue
            rest = text[len(name) + 1 :]
            ended = rest.endswith((".", "。")) or (rest.endswith("!") and rest.startswith("waved at "))
            match = _PREDICATES.fullmatch(rest.rstrip("."))
            # A friend, too, begins with "You".
            if match and (ended or name not in YOU):
                return all(group in self._members for group in match.groups() if group)
            # In any other language: "<sender> <a few words>." beside an attachment.
            if ended and attached and name in _called(sender) and len(rest.split()) < 8:
                return True
        return False


@lru_cache(maxsize=4096)
def _called(member: str) -> tuple[str, ...]:
    """A full name, and its first word: calls use that."""
    return (member, member.split(maxsplit=1)[0]) if member.strip() else ()
