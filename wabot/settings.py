"""The settings of a project: `wabot.toml` in its directory, overridden by the environment.

    flow = "order"
    locale = "en"
    timezone = "Asia/Kolkata"
    currency = "INR"

    [business]
    name = "Asha Building Materials"

    [catalog]                  # a table of the module's own
    file = "catalog.csv"

`WABOT_CURRENCY=EUR` overrides a setting, `WABOT_BUSINESS__NAME=…` one of a table; `DATABASE_URL` is
`WABOT_DATABASE` by its usual name, and so for the others of `USUAL_NAMES`. What the environment lacks may be
in a file `.env` in the same directory.
"""

# ruff: noqa: ARG003 - pydantic-settings gives the sources by name

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from wabot.core.database import Pool, parse_url
from wabot.core.doors import HealthSettings, MediaSettings, MetaSettings, TwilioSettings, WebSettings
from wabot.core.durations import Duration
from wabot.core.http import HttpSettings
from wabot.core.limits import SENDER_PER_SECOND
from wabot.engine.problems import did_you_mean
from wabot.errors import RecordError, SettingsError

FILE = "wabot.toml"
DOTENV = ".env"
PREFIX = "WABOT_"
USUAL_NAMES = {
    "DATABASE_URL": ("database",),
    "REDIS_URL": ("redis",),
    "TWILIO_SID": ("twilio", "account_sid"),
    "TWILIO_ACCOUNT_SID": ("twilio", "account_sid"),
    "TWILIO_AUTH_TOKEN": ("twilio", "auth_token"),
    "TWILIO_WHATSAPP_NUMBER": ("twilio", "number"),
    "TWILIO_MESSAGING_SERVICE_SID": ("twilio", "messaging_service"),
    "WHATSAPP_VERIFY_TOKEN": ("meta", "verify_token"),
    "WHATSAPP_ACCESS_TOKEN": ("meta", "access_token"),
    "WHATSAPP_APP_SECRET": ("meta", "app_secret"),
}
"""What deployments call these; a variable of ours comes first, and an empty one counts for nothing."""

_HIDDEN = ("directory", "sections")
"""Fields that are no settings."""
_LIST, _TABLE = ("a list", ["…", "…"]), ("a table", {"…": "…"})
_SHAPES: dict[str, tuple[str, Any]] = {"list_type": _LIST, "dict_type": _TABLE, "model_type": _TABLE}
"""By pydantic's names of the errors."""
_KINDS = {
    "string_type": "text, in quotes",
    "path_type": "a path, in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "time_delta_type": "a length of time, like 90s or 1h30m",
}
_NO_SETTINGS = frozenset({"project", "crash_at", "parent"})
"""Variables of ours that say something else."""

Model = TypeVar("Model", bound=BaseModel)


def _locale(value: str) -> str:
    try:
        Locale.parse(value, sep="-")
    except (ValueError, UnknownLocaleError):
        raise ValueError(f'"{value}" is no locale: write it like en or hi-IN') from None
    return value


def _currency(value: str) -> str:
    if value not in list_currencies():
        hint = did_you_mean(value, list_currencies())
        raise ValueError(f'"{value}" is no currency of ISO 4217' + (f": {hint}" if hint else ""))
    return value


def _timezone(value: str) -> str:
    if value not in available_timezones():
        hint = did_you_mean(value, available_timezones())
        raise ValueError(
            f'"{value}" is no time zone' + (f": {hint}" if hint else ": write it like Asia/Kolkata")
        )
    return value


def _database(value: SecretStr) -> SecretStr:
    try:
        parse_url(value.get_secret_value())
    except RecordError as error:
        raise PydanticCustomError("database", "{message}", vars(error)) from None
    return value


LocaleName = Annotated[str, AfterValidator(_locale)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class BusinessSettings(BaseModel):
    """`[business]`: its name, and whatever else texts and modules say of it (`business.phone`)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = ""


class RuntimeSettings(BaseModel):
    """`[runtime]`: how patient the runtime is; see `runtime.send.SendPolicy` and `pipeline.errors`.

    Each process looks for due work every `sweep`; a worker leaves events younger than `patience` to the
    one that was rung for them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tries: int = Field(default=3, ge=1, le=100)
    lease: Duration = Field(default=timedelta(seconds=60), gt=timedelta())
    grace: Duration = Field(default=timedelta(seconds=60), ge=timedelta())
    give_up: Duration = Field(default=timedelta(hours=24), ge=timedelta())
    sweep: Duration = Field(default=timedelta(seconds=1), gt=timedelta())
    patience: Duration = Field(default=timedelta(seconds=2), ge=timedelta())
    effects: int = Field(default=4, ge=1, le=64, description="threads that wait for other servers")


class PoolSettings(BaseModel):
    """`[pool]`: the connections of one process to the database; see `core.database.Pool`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=5, ge=1, le=1000)
    overflow: int = Field(default=5, ge=0, le=1000)
    timeout: Duration = timedelta(seconds=10)
    lock: Duration = timedelta(seconds=10)
    idle: Duration = timedelta(seconds=60)
    busy: Duration = timedelta(seconds=15)

    @property
    def pool(self) -> Pool:
        return Pool(**dict(self))


class RateLimitSettings(BaseModel):
    """`[rate_limit]`: how many messages a contact may write in a minute, and how many at once. 0 a minute
    is no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_minute: int = Field(default=30, ge=0, le=100_000)
    burst: int = Field(default=30, ge=1, le=100_000)


class SendingSettings(BaseModel):
    """`[sending]`: how many messages a second one sender of ours sends, of all processes together where
    there is Redis. 0 is no limit. Twilio and Meta take 80 unless they have agreed to more (`core.limits`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_second: int = Field(default=SENDER_PER_SECOND, ge=0, le=100_000)


class CircuitSettings(BaseModel):
    """`[circuit]`: after how many failures in a row a channel is left alone, for how long, and how long
    the one message after it may take; see `core.circuits.CircuitPolicy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failures: int = Field(default=5, ge=1, le=1000)
    pause: Duration = timedelta(seconds=30)
    probe: Duration = timedelta(seconds=60)


class OptOutSettings(BaseModel):
    """`[opt_out]`: what means STOP and START in a locale, in place of what `pipeline.optout` has for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stop: dict[LocaleName, list[str]] = Field(default_factory=dict)
    start: dict[LocaleName, list[str]] = Field(default_factory=dict)


class Settings(BaseSettings):
    """Made in code it takes what it is given and nothing else; `load_settings` reads file and environment.

    `directory` is where relative paths begin. `modules` is None for all that are installed. `sections`
    are the tables of modules. `middleware` are your own, as `shop.audit:log_turn`, in their order.
    `redis` is the URL of a database that no other project uses; without one
    all work is done in the process that accepts it. `log_key` keys the hash under which phone numbers
    appear in logs: without it a new one is made at each start.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )

    directory: Path = Path()
    flow: str = ""
    senders: dict[str, str] = Field(default_factory=dict, description="our number: the flow it starts with")
    locale: LocaleName = "en"
    locales: list[LocaleName] = Field(default_factory=list)
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    currency: Annotated[str, AfterValidator(_currency)] = "INR"
    database: Annotated[SecretStr, AfterValidator(_database)] = SecretStr("sqlite:///wabot.db")
    redis: SecretStr | None = None
    flows: list[Path] = Field(default_factory=lambda: [Path("flows")])
    texts: list[Path] = Field(default_factory=lambda: [Path("texts")])
    modules: list[str] | None = None
    middleware: list[str] = Field(default_factory=list)
    log_level: LogLevel = "INFO"
    log_key: SecretStr | None = None
    business: BusinessSettings = Field(default_factory=BusinessSettings)
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings)
    rate_limit: RateLimitSettings = Field(default_factory=RateLimitSettings)
    sending: SendingSettings = Field(default_factory=SendingSettings)
    circuit: CircuitSettings = Field(default_factory=CircuitSettings)
    opt_out: OptOutSettings = Field(default_factory=OptOutSettings)
    pool: PoolSettings = Field(default_factory=PoolSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    twilio: TwilioSettings = Field(default_factory=TwilioSettings)
    meta: MetaSettings = Field(default_factory=MetaSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    media: MediaSettings = Field(default_factory=MediaSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    sections: dict[str, dict[str, Any]] = Field(default_factory=dict)
    _origins: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def all_locales(self) -> list[str]:
        """The default one first, each once."""
        return list(dict.fromkeys([self.locale, *self.locales]))

    @property
    def database_url(self) -> str:
        """With a relative SQLite file beside the settings."""
        url = self.database.get_secret_value()
        scheme, _, file = url.partition(":///")
        if scheme.startswith("sqlite") and file and file != ":memory:":
            return f"{scheme}:///{self.path(Path(file))}"
        return url

    @property
    def redis_url(self) -> str | None:
        """None where there is no Redis; an empty setting means that too."""
        return (self.redis.get_secret_value() or None) if self.redis else None

    def path(self, path: Path) -> Path:
        """`path`, relative to the project's directory."""
        return self.directory / path

    @property
    def media_folder(self) -> Path:
        return self.path(self.media.folder)

    @property
    def text_directories(self) -> list[Path]:
        """Where texts are, a later directory over an earlier one."""
        return [self.path(path) for path in self.texts]

    @property
    def flow_files(self) -> list[Path]:
        """Every flow of the project, sorted within each directory that `flows` names.

        Raises SettingsError for a path that isn't there.
        """
        files: list[Path] = []
        for path in map(self.path, self.flows):
            if path.is_dir():
                files += sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
            elif path.is_file():
                files.append(path)
            else:
                raise self.refused(["flows"], f'there is no "{path}"', "name a directory or a file")
        return list(dict.fromkeys(files))

    def section(self, name: str, model: type[Model]) -> Model:
        """The table of this module as its model, overridden by `WABOT_<NAME>__<KEY>`.

        A path in it is made relative to the project's directory. Raises SettingsError.
        """
        try:
            values = model.model_validate(self._table_of(name, model))
        except ValidationError as error:
            # Its own words may quote a secret.
            raise _refused(error, [name], model, self._origins)[0] from None
        paths = {key: self.path(value) for key, value in values if isinstance(value, Path)}
        return values.model_copy(update=paths)

    def know_sections(self, modules: Sequence[str]) -> None:
        """Raises SettingsError for a table that belongs to none of these modules."""
        for error in self._unknown_sections(modules):
            raise error

    def wrong_sections(self, models: Mapping[str, type[BaseModel] | None]) -> list[SettingsError]:
        """All that `know_sections` and `section` have against the tables, by the models of these modules."""
        wrong = self._unknown_sections(list(models))
        for name, model in models.items():
            if model is not None:
                try:
                    model.model_validate(self._table_of(name, model))
                except ValidationError as error:
                    wrong += _refused(error, [name], model, self._origins)
        return wrong

    def refused(self, keys: Sequence[str], what: str, hint: str | None = None) -> SettingsError:
        """`what` is wrong with the setting to which `keys` lead, as an error that names who gave it."""
        return _error(keys, what, hint, _origin(self._origins, keys))

    def told(self, error: SettingsError) -> SettingsError:
        """A module's error about a setting of its own, which the module calls by its keys alone."""
        if error.source or not error.keys:
            return error
        return self.refused(error.keys, error.message, error.hint)

    def _unknown_sections(self, modules: Sequence[str]) -> list[SettingsError]:
        names = ", ".join(modules) or "none"
        known = [*modules, *_keys(type(self))]
        return [
            self.refused(
                [name],
                "there is no such setting, and no module of this app has this name",
                did_you_mean(name, known) or f"the modules are {names}",
            )
            for name in self.sections
            if name not in modules
        ]

    def _table_of(self, name: str, model: type[BaseModel]) -> dict[str, Any]:
        """As the file has it; of what the environment gave, lists and tables are read as JSON."""
        values, given = dict(self.sections.get(name, {})), self._origins.get(name, {})
        for key in given:
            field = model.model_fields.get(key)
            if field is not None and isinstance(_example(field.annotation), list | dict):
                values[key] = _json_or_text(values[key])
        return values


def load_settings(
    directory: Path, *, environment: Mapping[str, str] | None = None, required: bool = True
) -> Settings:
    """The settings of the project in `directory`. Raises SettingsError that names file, key and mend.

    Without `required` a directory without `wabot.toml` gives the defaults. `environment` is by default
    that of this process, before what the file `.env` of the directory has.
    """
    settings, wrong = read_settings(directory, environment=environment, required=required)
    if wrong:
        raise wrong[0]
    return settings


def read_settings(
    directory: Path, *, environment: Mapping[str, str] | None = None, required: bool = True
) -> tuple[Settings, list[SettingsError]]:
    """As `load_settings`, with all that is wrong; in place of what is wrong the settings have the defaults.

    Raises SettingsError where the file can't be read at all.
    """
    fallback = {} if environment is not None else _from_dotenv(directory / DOTENV)
    own = os.environ if environment is None else environment
    file = directory / FILE
    data: dict[str, Any] = {}
    if file.is_file():
        data = _read(file)
    elif required:
        raise SettingsError(f"there is no {file}", hint="`wabot new` makes a project with one")
    both = {**fallback, **own}
    # Deployments hand empty ones through.
    given_by = {name: value for name, value in both.items() if value or name not in USUAL_NAMES}
    variables = {name: f"{'the environment' if name in own else DOTENV}'s {name}" for name in given_by}
    given, wrong = _from_environment(given_by, variables)
    for hidden in [key for key in _HIDDEN if key in data and not isinstance(data[key], dict)]:
        del data[hidden]
        wrong.append(_error([hidden], "there is no such setting", None, FILE))
    merged, origins = _merged(_sorted_out(data), given), _origins_of(given, variables)
    while True:
        try:
            settings = Settings(**{**merged, "directory": directory})
        except ValidationError as error:
            wrong += _refused(error, [], Settings, origins)
            for each in error.errors():
                _leave_out(merged, each["loc"])
        else:
            settings._origins = origins  # noqa: SLF001 - its own module
            return settings, wrong


def _leave_out(data: dict[str, Any], keys: Sequence[str | int]) -> None:
    """Take out what these keys lead to, or what of it is there."""
    table = data
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        below = table.get(key) if isinstance(key, str) else None
        if not (isinstance(below, dict) and following in below):
            if table.pop(str(key), None) is None:
                data.pop(str(keys[0]), None)
            return
        table = below


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: {error}", hint="the file is TOML: key = value") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: the file isn't UTF-8", hint="save it as UTF-8") from error


def _from_dotenv(file: Path) -> dict[str, str]:
    """The variables of this file; none where it isn't there."""
    if not file.is_file():
        return {}
    try:
        found = dotenv_values(file, interpolate=False)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file}: the file isn't UTF-8", hint="save it as UTF-8") from error
    return {name: value for name, value in found.items() if value is not None}


def _sorted_out(data: Mapping[str, Any]) -> dict[str, Any]:
    """Tables that are no settings of ours are those of modules."""
    known = set(_keys(Settings))
    ours = {key: value for key, value in data.items() if key in known or not isinstance(value, dict)}
    theirs = {key: value for key, value in data.items() if key not in ours}
    return {**ours, "sections": theirs} if theirs else ours


def _from_environment(
    environment: Mapping[str, str], variables: Mapping[str, str]
) -> tuple[dict[str, Any], list[SettingsError]]:
    """What is given, and the names that no setting has. `variables` says how a message calls each."""

    class Source(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {key.lower(): value for key, value in environment.items()}

        def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
            return _json_or_text(value)

    given, wrong = Source(Settings)(), []
    for hidden in _HIDDEN:
        given.pop(hidden, None)
    for key, value in environment.items():
        module, _, name = key.removeprefix(PREFIX).lower().partition("__")
        if not key.startswith(PREFIX) or module in Settings.model_fields:
            continue
        if name:
            given.setdefault("sections", {}).setdefault(module, {})[name] = value
        elif module not in _NO_SETTINGS and (hint := did_you_mean(module, _keys(Settings))):
            # Others may have variables of such a name; but one slip more would be another database.
            wrong.append(_error([], "there is no such setting", hint, variables[key]))
    for variable, (*tables, name) in USUAL_NAMES.items():
        table = given
        if variable not in environment:
            continue
        for key in tables:
            table = table.setdefault(key, {})
        if isinstance(table, dict):
            table.setdefault(name, environment[variable])
    return given, wrong


def _json_or_text(value: Any) -> Any:
    """What is no JSON is refused later, as any other value of the wrong type."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _origins_of(given: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """As the environment's settings lie in their tables, in place of each the variable that gave it."""
    known = {name.upper(): told for name, told in variables.items()}
    usual = {path: known[name] for name, path in reversed(USUAL_NAMES.items()) if name in known}

    def named(path: tuple[str, ...]) -> str:
        for length in range(len(path), 0, -1):
            ours = known.get(PREFIX + "__".join(path[:length]).upper())
            if told := ours or usual.get(path[:length]):
                return told
        return ""

    def walk(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict) and value:
            return {key: walk(inner, (*path, key)) for key, inner in value.items()}
        return named(path)

    flat = {key: value for key, value in given.items() if key != "sections"}
    return {key: walk(value, (key,)) for key, value in {**given.get("sections", {}), **flat}.items()}


def _origin(origins: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Who gave this setting, its table, or something in this table: a variable, else the file."""
    found: Any = origins
    for key in keys:
        found = found.get(key, "") if isinstance(found, dict) else found
    while isinstance(found, dict):
        found = min(found.values(), key=str, default="")
    return found or FILE


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if model is not Settings or name not in _HIDDEN]


def _error(keys: Sequence[str], what: str, hint: str | None, source: str) -> SettingsError:
    where = f"{source}: {'.'.join(keys)}" if source == FILE else source
    return SettingsError(f"{where}: {what}", hint=hint or None, keys=keys, source=source)


def _refused(
    error: ValidationError, path: list[str], model: type[BaseModel], origins: Mapping[str, Any]
) -> list[SettingsError]:
    """Each finding as a sentence: the file or the variable, the key, and what to write."""
    return [_finding(each, path, model, origins) for each in error.errors(include_input=False)]


def _finding(
    found: ErrorDetails, path: list[str], model: type[BaseModel], origins: Mapping[str, Any]
) -> SettingsError:
    inner = [str(key) for key in found["loc"] if key != "[key]"]
    keys = [*path, *inner]
    if found["type"] == "missing":
        # What isn't there was given by nobody; the table that lacks it was.
        source = _origin(origins, keys[:-1]) if len(keys) > 1 else FILE
        lacks = f"{keys[-1]} is needed" if source != FILE else "this setting is needed"
        return _error(keys, lacks, None, source)
    source = _origin(origins, keys)
    if found["type"] == "extra_forbidden":
        hint = did_you_mean(keys[-1], _keys(_table(model, inner)))
        return _error(keys, "there is no such setting", hint, source)
    if found["type"] in _KINDS:
        return _error(keys, f"this is to be {_KINDS[found['type']]}", None, source)
    if found["type"] in _SHAPES:
        shape, plain = _SHAPES[found["type"]]
        field = _table(model, inner).model_fields.get(inner[-1])
        example = _example(field.annotation) if field else plain
        return _error(keys, f"this is to be {shape}", _written(example, keys, source), source)
    mend = found.get("ctx", {}).get("hint")
    return _error(keys, found["msg"].removeprefix("Value error, "), mend, source)


def _written(example: Any, keys: Sequence[str], source: str) -> str:
    """How a list or a table is written, where it is."""
    text = json.dumps(example, ensure_ascii=False)
    if source != FILE:
        return f"write it as JSON: {PREFIX}{'__'.join(keys).upper()}='{text}'"
    if isinstance(example, list):
        return f"write it like {keys[-1]} = {text}"
    return f"write it below a line [{'.'.join(keys)}]"


def _example(annotation: Any) -> Any:
    """A value of this type, to show how one is written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        needed = {name: field for name, field in annotation.model_fields.items() if field.is_required()}
        fields = needed or annotation.model_fields
        return {name: _example(field.annotation) for name, field in list(fields.items())[:2]}
    inner = [each for each in get_args(annotation) if each is not NoneType]
    if annotation is list or get_origin(annotation) is list:
        return [_example(inner[0] if inner else str)] * 2
    if annotation is dict or get_origin(annotation) is dict:
        return {"…": _example(inner[1] if inner else str)}
    if get_origin(annotation) is Literal:
        return inner[0]
    if inner:
        return _example(inner[0])
    return {bool: True, int: 1, float: 0.5, timedelta: "30s"}.get(annotation, "…")


def _table(model: type[BaseModel], keys: Sequence[str]) -> type[BaseModel]:
    """The model of the table that the last of these keys is in."""
    for key in keys[:-1]:
        field = model.model_fields.get(key)
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            break
        model = field.annotation
    return model
