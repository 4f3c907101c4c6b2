"""Addresses: the query string of a page as pairs, and the addresses of its neighbours.

Whatever can be asked is in the address. Forms send their empty fields along; `told` drops what says nothing,
so that there is one address for one question. Changing a filter leads back to its first page.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus, urlencode

from starlette.requests import Request

from pinakes.api.proxies import link, root_path
from pinakes.memory import remembered

Pair = tuple[str, str]

# Empty, these say "nothing of it"; empty, everything else says nothing.
_MEANT_EMPTY = frozenset(("content_source_types", "content_types"))
_PLACE = ("page", "cursor")


@dataclass(frozen=True, slots=True)
class Address:
    """Names and values in the order they stand in."""

    pairs: tuple[Pair, ...]

    @classmethod
    def of(cls, request: Request) -> Address:
        """The query string of `request`."""
        raw: bytes = request.scope["query_string"]
        return cls.read(raw)

    @classmethod
    def read(cls, raw: bytes) -> Address:
        """A query string as sent; bytes that are no UTF-8 stay recognizably wrong."""
        text = raw.decode("utf-8", "surrogateescape")
        return cls(tuple(parse_qsl(text, keep_blank_values=True, errors="surrogateescape")))

    def at(self, path: str) -> str:
        """This query string behind `path`."""
        text = urlencode(self.pairs, errors="surrogateescape")
        return f"{link(path)}?{text}" if text else link(path)

    @property
    def raw(self) -> bytes:
        """As a query string."""
        return urlencode(self.pairs, errors="surrogateescape").encode()

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((value for each, value in self.pairs if each == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return [value for each, value in self.pairs if each == name]

    def only_known(self, names: frozenset[str]) -> Address:
        """Without the parameters that a page does not have: what mailings and social networks add to links."""
        return Address(tuple(pair for pair in self.pairs if pair[0] in names))

    def has(self, name: str) -> bool:
        """Whether a parameter is there."""
        return any(each == name for each, _ in self.pairs)

    def without(self, *names: str) -> Address:
        """Less these parameters."""
        return Address(tuple(pair for pair in self.pairs if pair[0] not in names))

    def less(self, name: str, value: str) -> Address:
        """Less one value of a parameter, on its first page."""
        return Address(tuple(pair for pair in self.pairs if pair != (name, value))).without(*_PLACE)

    def plus(self, name: str, value: str) -> Address:
        """With one more value of a parameter, on its first page."""
        kept = self.less(name, value)
        return Address((*kept.pairs, (name, value)))

    def one_more(self, name: str, value: str) -> str:
        """The gallery with one more value of a parameter that lacks it: `plus`, for the many tags beside a page."""
        return f"{_gallery(self, root_path())}{name}={quote_plus(value)}"

    def put(self, **values: str | int | None) -> Address:
        """With these parameters set; None takes one away. Where it is about a filter, call `first`, too."""
        kept = self.without(*values)
        return Address((*kept.pairs, *((name, str(value)) for name, value in values.items() if value is not None)))

    def first(self) -> Address:
        """On the first page."""
        return self.without(*_PLACE)

    def only(self, *names: str) -> Address:
        """These parameters and no others."""
        return Address(tuple(pair for pair in self.pairs if pair[0] in names))

    def told(self) -> Address:
        """Without the empty fields a form sends along, and what is said twice."""
        bare = ((name, value.strip() if name == "q" else value) for name, value in self.pairs)
        kept = (pair for pair in bare if pair[1].strip() or pair[0] in _MEANT_EMPTY)
        return Address(tuple(dict.fromkeys(kept)))


@remembered("addresses", 2**18)
def _gallery(address: Address, _: str) -> str:
    """The first page of the gallery, ready for one more parameter; below a root path."""
    text = address.first().at("/")
    return f"{text}&" if "?" in text else f"{text}?"
