"""The format KakaoTalk."""

from selfchatbot.preprocessors.kakaotalk.preprocessor import KakaoTalk

__all__ = ["KakaoTalk"]
