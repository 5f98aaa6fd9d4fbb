"""What LINE's words in the place of a message stand for."""

from selfchatbot.preprocessors.media import AUDIO, CALL, CONTACT, FILE, LOCATION, PHOTO, STICKER, VIDEO, VOICE

_WORDS = {
    PHOTO: "Photo Photos 写真 画像 照片 圖片 图片 사진 รูป รูปภาพ Foto",
    VIDEO: "Video Videos 動画 视频 影片 동영상 วิดีโอ",
    STICKER: "Sticker Stickers スタンプ 贴图 貼圖 스티커 สติกเกอร์ Stiker",
    VOICE: "Voice_message ボイスメッセージ 语音信息 語音訊息 음성_메시지 ข้อความเสียง Pesan_suara",
    AUDIO: "Audio",
    CONTACT: "Contact Contacts 連絡先 联系人 聯絡資訊 연락처 รายชื่อติดต่อ Kontak",
    LOCATION: "Location 位置情報 位置 位置訊息 位置資訊 위치_정보 Lokasi",
    FILE: "File Files ファイル 文件 檔案 파일 ไฟล์",
}
_KINDS = {word.replace("_", " "): kind for kind, words in _WORDS.items() for word in words.split()}
_CALL = "☎"


def besides_text(text: str) -> str:
    """The kind, as in `preprocessors.media`, of what LINE wrote in the place of a text; empty for its other words."""
    if text.startswith(_CALL):
        return CALL
    return _KINDS.get(text[1:].partition("]")[0] if text.startswith("[") else text, "")
