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

import os
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from wabot.core.database import Pool
from wabot.core.doors import HealthSettings, MediaSettings, MetaSettings, TwilioSettings, WebSettings
from wabot.core.durations import Duration
from wabot.core.http import HttpSettings
from wabot.core.limits import SENDER_PER_SECOND
from wabot.engine.problems import did_you_mean
from wabot.errors import SettingsError

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
    lease: Duration = timedelta(seconds=60)
    grace: Duration = timedelta(seconds=60)
    give_up: Duration = timedelta(hours=24)
    sweep: Duration = timedelta(seconds=1)
    patience: Duration = timedelta(seconds=2)
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
    database: SecretStr = SecretStr("sqlite:///wabot.db")
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
                raise SettingsError(f'{FILE}: flows: there is no "{path}"', hint="name a directory or a file")
        return list(dict.fromkeys(files))

    def section(self, name: str, model: type[Model]) -> Model:
        """The table of this module as its model, overridden by `WABOT_<NAME>__<KEY>`.

        A path in it is made relative to the project's directory. Raises SettingsError.
        """
        try:
            values = model.model_validate(self.sections.get(name, {}))
        except ValidationError as error:
            raise _refused(error, [name], model) from error
        paths = {key: self.path(value) for key, value in values if isinstance(value, Path)}
        return values.model_copy(update=paths)

    def know_sections(self, modules: Sequence[str]) -> None:
        """Raises SettingsError for a table that belongs to none of these modules."""
        for name in self.sections:
            if name not in modules:
                hint = did_you_mean(name, [*modules, *_keys(type(self))])
                raise SettingsError(
                    f'{FILE}: "{name}" is no setting and no module of this app',
                    hint=hint or f"the modules are {', '.join(modules) or 'none'}",
                )


def load_settings(
    directory: Path, *, environment: Mapping[str, str] | None = None, required: bool = True
) -> Settings:
    """The settings of the project in `directory`. Raises SettingsError that names file, key and mend.

    Without `required` a directory without `wabot.toml` gives the defaults. `environment` is by default
    that of this process, before what the file `.env` of the directory has.
    """
    environment = {**_from_dotenv(directory / DOTENV), **os.environ} if environment is None else environment
    file = directory / FILE
    data: dict[str, Any] = {}
    if file.is_file():
        data = _read(file)
    elif required:
        raise SettingsError(f"there is no {file}", hint="`wabot new` makes a project with one")
    given = _from_environment(environment)
    merged = _merged(_sorted_out(data), given)
    try:
        return Settings(**{**merged, "directory": directory})
    except ValidationError as error:
        raise _refused(error, [], Settings, environment) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    class Source(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {key.lower(): value for key, value in environment.items()}

    try:
        given = Source(Settings)()
    except UnreadableVariable as error:
        raise SettingsError(f"the environment: {error}", hint='write a list as JSON: ["en", "hi"]') from error
    given.pop("directory", None)
    for key, value in environment.items():
        module, _, name = key.removeprefix(PREFIX).lower().partition("__")
        if not key.startswith(PREFIX) or module in Settings.model_fields:
            continue
        if name:
            given.setdefault("sections", {}).setdefault(module, {})[name] = value
        elif module not in _NO_SETTINGS and (hint := did_you_mean(module, _keys(Settings))):
            # Others may have variables of such a name; but one slip more would be another database.
            raise SettingsError(f"the environment's {key}: there is no such setting", hint=hint)
    for variable, (*tables, name) in USUAL_NAMES.items():
        table = given
        for key in tables:
            table = table.setdefault(key, {}) if environment.get(variable) else table
        if environment.get(variable):
            table.setdefault(name, environment[variable])
    return given


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _keys(model: type[BaseModel]) -> list[str]:
    hidden = {"directory", "sections"} if model is Settings else set()
    return [name for name in model.model_fields if name not in hidden]


def _refused(
    error: ValidationError,
    path: list[str],
    model: type[BaseModel],
    environment: Mapping[str, str] | None = None,
) -> SettingsError:
    """The first finding as a sentence: the file or the variable, the key, and what to write."""
    first = error.errors()[0]
    inner = list(map(str, first["loc"]))
    keys = [*path, *inner]
    variable = _variable(keys, environment) if environment else None
    where = f"the environment's {variable}" if variable else f"{FILE}: {'.'.join(keys)}"
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(keys[-1], _keys(_table(model, inner)))
        return SettingsError(f"{where}: there is no such setting", hint=hint or None)
    if first["type"] == "missing":
        return SettingsError(f"{where}: this setting is needed")
    return SettingsError(f"{where}: {first['msg'].removeprefix('Value error, ')}")


def _variable(keys: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """What gave this setting, its table, or something in this table; None where the file did."""
    given = {name.upper(): name for name, value in environment.items() if value}
    for length in range(len(keys), 0, -1):
        ours = PREFIX + "__".join(keys[:length]).upper()
        usual = [name for name, setting in USUAL_NAMES.items() if setting == tuple(keys[:length])]
        for variable in (ours, *usual):
            if variable in given:
                return given[variable]
    if len(keys) == 1:
        inside = [name for name in given if name.startswith(f"{PREFIX}{keys[0].upper()}__")]
        inside += [name for name, (table, *_) in USUAL_NAMES.items() if table == keys[0] and name in given]
        return min(inside, default=None)
    return None


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
