"""The flows of a project by id and version, each compiled once."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from wabot.engine.chart import Chart
from wabot.engine.compile import INLINE, compile_chart
from wabot.engine.expressions import Sandbox
from wabot.engine.loader import Source
from wabot.engine.problems import did_you_mean
from wabot.engine.texts import Texts
from wabot.errors import DuplicateName, StateError, UnknownName


class Library:
    """Flows and texts. Safe between threads: two that want a new chart at once may both compile it.

    Raises DuplicateName where two documents are the same version of a flow.
    """

    def __init__(
        self, documents: Iterable[Source], texts: Texts | None = None, *, sandbox: Sandbox | None = None
    ) -> None:
        self.sandbox = sandbox or Sandbox()
        self.texts = texts if texts is not None else Texts(sandbox=self.sandbox)
        self._sources: dict[str, dict[int, Source]] = {}
        self._charts: dict[tuple[str, int], Chart] = {}
        for source in documents:
            versions = self._sources.setdefault(source.flow, {})
            if source.version in versions:
                raise DuplicateName(
                    f'version {source.version} of the flow "{source.flow}" is there twice: '
                    f"{versions[source.version].file} and {source.file}"
                )
            versions[source.version] = source

    @property
    def flows(self) -> Mapping[str, Source]:
        """The newest version of each flow."""
        return MappingProxyType({flow: versions[max(versions)] for flow, versions in self._sources.items()})

    def newest(self, flow: str) -> Chart:
        """The flow's newest version. Raises UnknownName where there is no such flow."""
        outer = flow.partition(INLINE)[0] if flow not in self._sources else flow
        versions = self._sources.get(outer)
        if not versions:
            raise UnknownName(f'there is no flow "{flow}"', hint=did_you_mean(flow, self._sources) or None)
        return self.chart(flow, max(versions))

    def chart(self, flow: str, version: int) -> Chart:
        """Raises StateError, naming what there is, for a flow or a version that isn't there."""
        chart = self._charts.get((flow, version))
        if chart is not None:
            return chart
        outer = flow.partition(INLINE)[0] if flow not in self._sources else flow
        source = self._sources.get(outer, {}).get(version)
        if source is None:
            raise StateError(self._missing(outer, version))
        compiled = compile_chart(source, self.sandbox, self.texts)
        for name, part in {outer: compiled, **compiled.inline}.items():
            self._charts.setdefault((name, version), part)
        try:
            return self._charts[flow, version]
        except KeyError:
            raise StateError(f'there is no flow "{flow}" in version {version} of "{outer}"') from None

    def _missing(self, flow: str, version: int) -> str:
        versions = sorted(self._sources.get(flow, ()))
        if not versions:
            near = did_you_mean(flow, self._sources)
            return f'there is no flow "{flow}"' + (f"; {near}" if near else "")
        listed = ", ".join(map(str, versions))
        return f'there is no version {version} of the flow "{flow}", only {listed}'
