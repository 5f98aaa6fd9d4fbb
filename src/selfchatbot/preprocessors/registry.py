"""The export formats: those of this package and those of plugins, which are other packages."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module

from selfchatbot.errors import SelfChatBotError
from selfchatbot.preprocessors.base import Preprocessor

GROUP = "selfchatbot.preprocessors"
"""The entry-point group in which a plugin registers a format: ``name = "module:Class"``."""


class BrokenPluginError(SelfChatBotError):
    """A plugin whose format can't be used."""


class Registry(Mapping[str, type[Preprocessor]]):
    """Formats by name, ignoring case. The module of a format is imported when the format is looked up.

    ``built_in`` maps names to ``module:Class``. Plugins are searched only for names that are not built in.

    Looking up a plugin's format raises BrokenPluginError if it can't be imported or isn't a format.
    """

    def __init__(self, built_in: Mapping[str, str]) -> None:
        self._built_in = {name.casefold(): (name, place) for name, place in built_in.items()}
        self._loaded: dict[str, type[Preprocessor]] = {}

    def __getitem__(self, name: str) -> type[Preprocessor]:
        key = name.casefold()
        if key not in self._loaded:
            if key in self._built_in:
                self._loaded[key] = _load(self._built_in[key][1])
            else:
                name, place, package = self._plugins[key]
                self._loaded[key] = _load_plugin(name, place, package)
        return self._loaded[key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name.casefold() in self._built_in or name.casefold() in self._plugins)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name, _ in self._built_in.values())
        yield from (name for name, _, _ in self._plugins.values())

    def __len__(self) -> int:
        return len(self._built_in) + len(self._plugins)

    def canonical(self, name: str) -> str:
        """The spelling of a format's name. Raises KeyError if there is no such format."""
        key = name.casefold()
        return self._built_in[key][0] if key in self._built_in else self._plugins[key][0]

    @cached_property
    def _plugins(self) -> dict[str, tuple[str, str, str]]:
        """Name, ``module:Class`` and package of the plugins' formats. Built-in names can't be overridden."""
        from importlib.metadata import entry_points

        found: dict[str, tuple[str, str, str]] = {}
        for point in entry_points(group=GROUP):
            if (key := point.name.casefold()) not in self._built_in:
                found.setdefault(key, (point.name, point.value, point.dist.name if point.dist else "?"))
        return found


def _load(place: str) -> type[Preprocessor]:
    module, _, name = place.partition(":")
    kind: type[Preprocessor] = getattr(import_module(module.strip()), name.strip())
    return kind


def _load_plugin(name: str, place: str, package: str) -> type[Preprocessor]:
    origin = f'the package "{package}" provides the format "{name}" ({place}), but'
    try:
        kind = _load(place)
    except Exception as error:  # importing somebody else's module can raise anything
        raise BrokenPluginError(
            f"{origin} it can't be imported ({type(error).__name__}): update or uninstall the package"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Preprocessor)):
        raise BrokenPluginError(f"{origin} it is not a subclass of Preprocessor: update or uninstall the package")
    if getattr(kind, "name", "").casefold() != name.casefold() or not hasattr(kind, "suffixes"):
        raise BrokenPluginError(
            f'{origin} the class doesn\'t have name = "{name}" and suffixes: update or uninstall the package'
        )
    # Older plugins override read instead of read_exports.
    if kind.read_exports is Preprocessor.read_exports and kind.read is Preprocessor.read:
        raise BrokenPluginError(f"{origin} the class has no read_exports: update or uninstall the package")
    return kind
