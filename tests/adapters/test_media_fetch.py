import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.adapters.answering import SHOP, Handler, Names, Server, serving
from wabot.adapters.http.exchange import Exchange
from wabot.adapters.http.target import parse
from wabot.adapters.media import FolderStore, MediaFetch, MetaSource, Source, TwilioSource
from wabot.core.database import Base, Database
from wabot.core.messages import Inbound
from wabot.core.module import Outside
from wabot.core.tables import InboundRow, MediaRow
from wabot.errors import EffectError, TryAgain
from wabot.runtime import accept
from wabot.testing import ManualClock, SequentialIds
from wabot.testing.meta import FakeMeta

ACCOUNT, TOKEN = "AC" + "0" * 31 + "1", "12345"
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1"
BASIC = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8


def picture(handler: Handler) -> None:
    handler.give(body=JPEG, Content_Type="image/jpeg")


class Bench:
    """A database with one message on record, a folder, and servers that a source may ask."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.clock = ManualClock()
        message = Inbound(channel="twilio", event_id="1", sender="+911", recipient="+912", text="x")
        accept(database, self.clock, SequentialIds(), message)
        with database.reading() as session:
            row = session.scalars(select(InboundRow)).one()
        self.inbound_id, self.conversation_id = row.id, row.conversation_id

    def fetcher(self, *sources: Source, **parts: Any) -> MediaFetch:
        store = parts.pop("store", FolderStore(self.folder))
        return MediaFetch(lambda: self.database, store, sources, **parts)

    def get(self, fetcher: MediaFetch, url: str, **wanted: Any) -> dict[str, Any]:
        arguments = {
            "channel": "twilio",
            "inbound_id": self.inbound_id,
            "kind": "image",
            "url": url,
            "mime_type": "image/jpeg",
            "filename": "",
            **wanted,
        }
        key = hashlib.sha256(str(url).encode()).hexdigest()[:32]
        return fetcher.run(arguments, Outside(key, self.clock, conversation_id=self.conversation_id))

    def refused(self, fetcher: MediaFetch, url: str, **wanted: Any) -> EffectError:
        with pytest.raises(EffectError) as caught:
            self.get(fetcher, url, **wanted)
        assert self.files() == []
        assert self.rows() == []
        return caught.value

    def rows(self) -> list[MediaRow]:
        with self.database.reading() as session:
            return list(session.scalars(select(MediaRow)))

    def files(self) -> list[str]:
        return [path.name for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Database("sqlite://")) as database:
        Base.metadata.create_all(database.engine)
        yield Bench(database, tmp_path / "media")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        made.routes[PATH] = picture
        yield made


@pytest.fixture
def twilio(bench: Bench, server: Server) -> MediaFetch:
    return bench.fetcher(TwilioSource(ACCOUNT, TOKEN, api_base=server.url), timeout=timedelta(seconds=5))


def test_a_file_of_twilios_is_fetched_with_the_login_kept_and_put_on_record(
    bench: Bench, server: Server, twilio: MediaFetch
) -> None:
    found = bench.get(twilio, server.url + PATH, filename="C:\\Users\\Asha\\..\\wall\u202egpj.jpg\n")
    (row,) = bench.rows()
    assert found == {
        "id": row.id,
        "inbound_id": bench.inbound_id,
        "kind": "image",
        "mime_type": "image/jpeg",
        "filename": "wallgpj.jpg",
        "size": len(JPEG),
        "sha256": hashlib.sha256(JPEG).hexdigest(),
    }
    assert (row.conversation_id, row.created_at) == (bench.conversation_id, bench.clock.now())
    with FolderStore(bench.folder).open(row.path) as file:
        assert file.read() == JPEG
    assert [asked.headers["Authorization"] for asked in server.asked] == [BASIC]
    assert bench.files()[0].endswith(".jpg")


def test_what_is_on_record_is_not_fetched_again(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    first = bench.get(twilio, server.url + PATH)
    assert bench.get(twilio, server.url + PATH) == first
    assert len(server.asked) == len(bench.rows()) == 1


def test_two_that_fetch_at_once_put_it_on_record_once(bench: Bench, server: Server) -> None:
    source = TwilioSource(ACCOUNT, TOKEN, api_base=server.url)
    inner = bench.fetcher(source)

    def meanwhile(handler: Handler) -> None:
        server.routes[PATH] = picture
        bench.get(inner, server.url + PATH)
        picture(handler)

    server.routes[PATH] = meanwhile
    found = bench.get(bench.fetcher(source), server.url + PATH)
    assert [row.id for row in bench.rows()] == [found["id"]]
    assert len(bench.files()) == 1


def test_a_message_that_is_not_on_record_has_no_file(
    bench: Bench, server: Server, twilio: MediaFetch
) -> None:
    with pytest.raises(EffectError) as caught:
        bench.get(twilio, server.url + PATH, inbound_id=999)
    assert caught.value.code == "arguments"


def test_a_runner_says_what_it_can(bench: Bench, twilio: MediaFetch) -> None:
    assert twilio.channels == {"twilio"}
    assert twilio.lease > timedelta(seconds=5)
    assert twilio.repeats({})
    assert bench.fetcher(tries=3).tries == 3


@pytest.mark.parametrize("wanted", [{"kind": "poem"}, {"inbound_id": "x"}, {"url": None}, {"more": 1}])
def test_arguments_of_another_form_are_refused(
    bench: Bench, server: Server, twilio: MediaFetch, wanted: dict[str, Any]
) -> None:
    with pytest.raises(EffectError) as caught:
        bench.get(twilio, **{"url": server.url + PATH, **wanted})
    assert caught.value.code == "arguments"


def test_a_channel_without_a_source_is_refused(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    assert bench.refused(twilio, server.url + PATH, channel="console").code == "channel"
    assert server.asked == []


ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254" + PATH,
    "http://[::1]" + PATH,
    "http://[::ffff:169.254.169.254]" + PATH,
    "http://127.0.0.1:1" + PATH,
    "http://0.0.0.0" + PATH,
    "http://2130706433" + PATH,
    "https://api.twilio.com.evil.example" + PATH,
    "https://evil.example/api.twilio.com" + PATH,
    "https://api.twilio.com@evil.example" + PATH,
    "https://mms.twiliocdn.com" + PATH,
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "//evil.example" + PATH,
    "",
    "not a url",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_url_that_is_none_of_twilios_is_asked_by_nobody(
    bench: Bench, server: Server, twilio: MediaFetch, url: str
) -> None:
    error = bench.refused(twilio, url)
    assert type(error) is EffectError
    assert error.code in ("not_allowed", "arguments")
    assert server.asked == []


@pytest.mark.parametrize(
    "path",
    [
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        PATH + "/../../../../Keys.json",
        PATH + "?x=1",
        PATH + ".json",
        PATH.replace("/Media", "/%4dedia"),
        "/" + PATH,
    ],
)
def test_another_page_of_twilios_is_no_file(
    bench: Bench, server: Server, twilio: MediaFetch, path: str
) -> None:
    error = bench.refused(twilio, server.url + path)
    assert error.code == "not_allowed" or path.endswith("Keys.json")
    assert server.asked == []


def redirecting(location: str, status: int = 307) -> Callable[[Handler], None]:
    return lambda handler: handler.give(status, Location=location)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:6379/",
        "https://evil.example/x.jpg",
        "http://mms.twiliocdn.com/x.jpg",
        "https://mms.twiliocdn.com:8443/x.jpg",
        "//169.254.169.254/latest",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_elsewhere_is_not_followed(
    bench: Bench, server: Server, twilio: MediaFetch, location: str, status: int
) -> None:
    server.routes[PATH] = redirecting(location, status)
    assert bench.refused(twilio, server.url + PATH).code in ("not_allowed", "arguments")
    assert len(server.asked) == 1


def test_a_redirect_to_another_port_of_this_machine_is_not_followed(
    bench: Bench, server: Server, twilio: MediaFetch
) -> None:
    with serving() as inside:
        server.routes[PATH] = redirecting(f"{inside.url}/secret")
        assert bench.refused(twilio, server.url + PATH).code == "not_allowed"
        assert inside.asked == []


def test_redirects_end(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    server.routes[PATH] = redirecting(PATH)
    assert bench.refused(twilio, server.url + PATH).code == "redirects"
    assert len(server.asked) == 4


def test_a_redirect_within_the_api_is_followed(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    server.routes |= {PATH: redirecting("/elsewhere"), "/elsewhere": picture}
    assert bench.get(twilio, server.url + PATH)["size"] == len(JPEG)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.5"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:169.254.169.254"],
        ["93.184.216.34", "127.0.0.1"],
        [],
    ],
)
def test_a_name_of_twilios_that_leads_into_our_network_is_not_asked(
    bench: Bench, addresses: list[str]
) -> None:
    names = Names({"api.twilio.com": [addresses]})
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN), resolver=names)
    assert bench.refused(fetcher, "https://api.twilio.com" + PATH).code == "not_allowed"


class Noted(Exchange):
    """Notes which addresses it would go to, and lets nothing out."""

    def __init__(self) -> None:
        super().__init__(1000)
        self.lines: list[tuple[str, list[str]]] = []

    def _connect(self, target: Any, addresses: list[str], deadline: Any) -> Any:
        self.lines.append((target.authority, addresses))
        raise EffectError("stopped here", code="stopped")


def test_a_name_is_asked_for_once_and_only_its_answer_is_gone_to(bench: Bench) -> None:
    # It rebinds: the second answer would lead into our network.
    names = Names({"api.twilio.com": [["93.184.216.34"], ["127.0.0.1"]]})
    noted = Noted()
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN), resolver=names, exchange=noted)
    assert bench.refused(fetcher, "https://api.twilio.com" + PATH).code == "stopped"
    assert noted.lines == [("api.twilio.com", ["93.184.216.34"])]
    assert names.asked == ["api.twilio.com"]


def test_a_name_that_rebinds_between_two_tries_is_not_asked_the_second_time(bench: Bench) -> None:
    names = Names({"api.twilio.com": [["93.184.216.34"], ["127.0.0.1"]]})
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN), resolver=names, exchange=Noted())
    bench.refused(fetcher, "https://api.twilio.com" + PATH)
    assert bench.refused(fetcher, "https://api.twilio.com" + PATH).code == "not_allowed"


def test_a_certificate_that_is_not_twilios_gets_no_login(bench: Bench) -> None:
    with serving(SHOP) as server:
        source = TwilioSource(ACCOUNT, TOKEN, api_base=f"https://{server.authority}")
        error = bench.refused(bench.fetcher(source), f"https://{server.authority}{PATH}")
        assert error.code == "certificate"
        assert server.asked == []


def test_only_servers_that_may_have_it_get_the_login() -> None:
    twilio, meta = TwilioSource(ACCOUNT, TOKEN), MetaSource("token")
    api, cdn = parse("https://api.twilio.com/x"), parse("https://mms.twiliocdn.com/x")
    assert (twilio.admits(api), twilio.admits(cdn)) == (False, False)
    assert (twilio.headers(api), twilio.headers(cdn)) == ({"Authorization": BASIC}, {})
    graph, files = parse("https://graph.facebook.com/x"), parse("https://lookaside.fbsbx.com/x")
    assert (meta.admits(graph), meta.admits(files)) == (False, False)
    assert meta.headers(graph) == meta.headers(files) == {"Authorization": "Bearer token"}
    assert meta.headers(parse("https://evil.example/")) == meta.headers(cdn) == {}
    for url in ("http://api.twilio.com/x", "https://api.twilio.com:444/x", "http://lookaside.fbsbx.com/x"):
        for source in (twilio, meta):
            assert source.headers(parse(url)) == {}
            with pytest.raises(EffectError, match="none of the provider's servers"):
                source.admits(parse(url))


def test_twilios_regions_have_an_api_of_their_own() -> None:
    twilio = TwilioSource(ACCOUNT, TOKEN)
    for host in ("api.ie1.twilio.com", "api.dublin.ie1.twilio.com"):
        url = f"https://{host}{PATH}"
        assert not twilio.admits(parse(url))
        assert twilio.headers(parse(url)) == {"Authorization": BASIC}
        assert twilio.seek(url, lambda _: b"").url == url
        assert TwilioSource(ACCOUNT, TOKEN, api_base="http://127.0.0.1:1").headers(parse(url)) == {}
    for url in (
        "http://api.ie1.twilio.com",
        "https://api.ie1.twilio.com:8443",
        "https://xapi.ie1.twilio.com",
    ):
        assert twilio.headers(parse(url)) == {}


def test_a_file_that_says_it_is_too_large_is_not_begun(bench: Bench, server: Server) -> None:
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN, api_base=server.url), max_bytes=1000)
    error = bench.refused(fetcher, server.url + PATH)
    assert (error.code, error.details) == ("too_large", {"size": len(JPEG), "max_bytes": 1000})


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Connection", "close")
    handler.end_headers()
    while not handler.server.over.is_set():
        handler.wfile.write(b"x" * 4096)


def packed(handler: Handler) -> None:
    body = gzip.compress(b"0" * 50_000_000)
    handler.give(body=body, Content_Type="image/jpeg", Content_Encoding="gzip")


@pytest.mark.parametrize("route", [endless, packed])
def test_a_file_that_does_not_end_is_given_up_at_the_limit(
    bench: Bench, server: Server, route: Callable[[Handler], None]
) -> None:
    server.routes[PATH] = route
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN, api_base=server.url), max_bytes=100_000)
    error = bench.refused(fetcher, server.url + PATH)
    assert (type(error), error.code) == (EffectError, "too_large")


def lying(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Content-Length", "500000")
    handler.end_headers()
    handler.wfile.write(JPEG)
    handler.close_connection = True


def slow(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.drip(b"x" * 1000)


@pytest.mark.parametrize(
    ("route", "code"), [(lying, "connection"), (slow, "timeout"), (Handler.hang, "timeout")]
)
def test_a_server_that_breaks_off_or_is_too_slow_is_tried_again(
    bench: Bench, server: Server, route: Callable[[Handler], None], code: str
) -> None:
    server.routes[PATH] = route
    source = TwilioSource(ACCOUNT, TOKEN, api_base=server.url)
    error = bench.refused(bench.fetcher(source, timeout=timedelta(seconds=0.3)), server.url + PATH)
    assert (type(error), error.code) == (TryAgain, code)


def test_a_server_that_is_not_there_is_tried_again(bench: Bench) -> None:
    with serving() as gone:
        url = gone.url
    error = bench.refused(bench.fetcher(TwilioSource(ACCOUNT, TOKEN, api_base=url)), url + PATH)
    assert (type(error), error.code) == (TryAgain, "connection")


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (404, True),
        (401, True),
        (429, True),
        (500, True),
        (503, True),
        (400, False),
        (410, False),
        (204, False),
    ],
)
def test_an_answer_that_is_no_file(
    bench: Bench, server: Server, twilio: MediaFetch, status: int, again: bool
) -> None:
    server.routes[PATH] = lambda h: h.give(status, b"" if status == 204 else b"<html>")
    error = bench.refused(twilio, server.url + PATH)
    assert (isinstance(error, TryAgain), error.code, error.details) == (again, "status", {"status": status})


@pytest.mark.parametrize(
    ("kind", "said", "kept"),
    [
        ("image", "image/png; charset=binary", "image/png"),
        ("image", "", "image/jpeg"),
        ("image", "application/octet-stream", "image/jpeg"),
        ("image", "nonsense", "image/jpeg"),
        ("sticker", "image/webp", "image/webp"),
        ("audio", "application/ogg", "application/ogg"),
        ("audio", "audio/ogg; codecs=opus", "audio/ogg"),
        ("document", "text/html", "text/html"),
        ("document", "application/pdf", "application/pdf"),
    ],
)
def test_the_type_is_the_servers_where_it_fits(
    bench: Bench, server: Server, twilio: MediaFetch, kind: str, said: str, kept: str
) -> None:
    server.routes[PATH] = lambda h: h.give(body=b"x", Content_Type=said)
    assert bench.get(twilio, server.url + PATH, kind=kind)["mime_type"] == kept


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("image", "text/html"),
        ("image", "application/javascript"),
        ("image", "video/mp4"),
        ("sticker", "application/pdf"),
        ("audio", "text/plain"),
    ],
)
def test_another_thing_in_a_pictures_place_is_refused(
    bench: Bench, server: Server, twilio: MediaFetch, kind: str, said: str
) -> None:
    server.routes[PATH] = lambda h: h.give(body=b"<script>", Content_Type=said)
    error = bench.refused(twilio, server.url + PATH, kind=kind, mime_type=said)
    assert (type(error), error.code) == (EffectError, "content_type")


def test_a_type_that_nobody_knows_is_bytes(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    server.routes[PATH] = lambda h: h.give(body=b"x")
    found = bench.get(twilio, server.url + PATH, kind="document", mime_type="")
    assert found["mime_type"] == "application/octet-stream"


def test_an_empty_file_is_none(bench: Bench, server: Server, twilio: MediaFetch) -> None:
    server.routes[PATH] = lambda h: h.give(Content_Type="image/jpeg")
    error = bench.refused(twilio, server.url + PATH)
    assert (type(error), error.code) == (TryAgain, "checksum")


def test_a_folder_that_is_full_is_tried_again(bench: Bench, server: Server) -> None:
    bench.folder.write_text("a file where the folder should be")
    fetcher = bench.fetcher(TwilioSource(ACCOUNT, TOKEN, api_base=server.url))
    with pytest.raises(TryAgain) as caught:
        bench.get(fetcher, server.url + PATH)
    assert caught.value.code == "store"


@pytest.fixture
def meta() -> Iterator[FakeMeta]:
    with FakeMeta() as made:
        yield made


def test_a_file_of_metas_is_found_by_its_id_and_fetched_with_the_token(bench: Bench, meta: FakeMeta) -> None:
    fetcher = bench.fetcher(MetaSource(meta.access_token, api_base=meta.url))
    id = meta.add_media(JPEG, "image/jpeg")
    for url in (f"https://graph.facebook.com/v23.0/{id}", f"{meta.url}/v23.0/{id}"):
        found = bench.get(fetcher, url, channel="meta")
        assert (found["mime_type"], found["size"]) == ("image/jpeg", len(JPEG))


@pytest.mark.parametrize(
    "path", ["/v23.0/me", "/v23.0/1/messages", "/1", "/v23.0/1?fields=x", "/v23.0/../1", "/files/1"]
)
def test_another_page_of_metas_is_no_file(bench: Bench, meta: FakeMeta, path: str) -> None:
    fetcher = bench.fetcher(MetaSource(meta.access_token, api_base=meta.url))
    assert bench.refused(fetcher, meta.url + path, channel="meta").code == "not_allowed"


def test_a_token_that_is_wrong_is_tried_again(bench: Bench, meta: FakeMeta) -> None:
    fetcher = bench.fetcher(MetaSource("wrong", api_base=meta.url))
    url = f"{meta.url}/v23.0/{meta.add_media(JPEG, 'image/jpeg')}"
    error = bench.refused(fetcher, url, channel="meta")
    assert (type(error), error.details) == (TryAgain, {"status": 401})


def graph(server: Server, **about: Any) -> str:
    server.routes["/v23.0/7"] = lambda h: h.give_json(json.dumps(about))
    return f"{server.url}/v23.0/7"


def from_meta(bench: Bench, server: Server, **parts: Any) -> MediaFetch:
    return bench.fetcher(MetaSource("token", api_base=server.url), **parts)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "https://evil.example/x", "http://[::1]/", "file:///etc/passwd"]
)
def test_metas_word_for_where_a_file_is_counts_only_for_metas_servers(
    bench: Bench, server: Server, url: str
) -> None:
    error = bench.refused(from_meta(bench, server), graph(server, url=url), channel="meta")
    assert error.code in ("not_allowed", "arguments")
    assert [asked.path for asked in server.asked] == ["/v23.0/7"]


def test_the_token_is_not_shown_to_where_a_file_server_redirects(bench: Bench, server: Server) -> None:
    with serving() as other:
        server.routes["/file"] = redirecting(f"{other.url}/steal")
        error = bench.refused(
            from_meta(bench, server), graph(server, url=f"{server.url}/file"), channel="meta"
        )
        assert error.code == "not_allowed"
        assert other.asked == []


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"url": 5}', b"[" * 60_000])
def test_an_answer_of_metas_that_says_nothing_is_tried_again(
    bench: Bench, server: Server, answer: bytes
) -> None:
    server.routes["/v23.0/7"] = lambda h: h.give(body=answer)
    error = bench.refused(from_meta(bench, server), f"{server.url}/v23.0/7", channel="meta")
    assert (type(error), error.code) == (TryAgain, "answer")


def test_an_answer_of_metas_without_end_is_given_up(bench: Bench, server: Server) -> None:
    server.routes["/v23.0/7"] = endless
    error = bench.refused(from_meta(bench, server), f"{server.url}/v23.0/7", channel="meta")
    assert error.code == "too_large"


@pytest.mark.parametrize("size", [2_000_000, "2000000"])
def test_a_file_that_meta_says_is_too_large_is_not_asked_for(
    bench: Bench, server: Server, size: int | str
) -> None:
    url = graph(server, url=f"{server.url}/file", file_size=size)
    error = bench.refused(from_meta(bench, server, max_bytes=1_000_000), url, channel="meta")
    assert error.code == "too_large"
    assert len(server.asked) == 1


SHA = hashlib.sha256(JPEG)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        (SHA.hexdigest(), True),
        (SHA.hexdigest().upper(), True),
        (base64.b64encode(SHA.digest()).decode(), True),
        ("not a hash", True),
        ("AAAA", True),
        (None, True),
        (hashlib.sha256(b"other").hexdigest(), False),
        (base64.b64encode(hashlib.sha256(b"other").digest()).decode(), False),
    ],
)
def test_a_file_is_what_meta_said_it_is(
    bench: Bench, server: Server, written: str | None, taken: bool
) -> None:
    server.routes["/file"] = lambda h: h.give(body=JPEG)
    url = graph(server, url=f"{server.url}/file", sha256=written, mime_type="image/png", file_size=True)
    fetcher = from_meta(bench, server)
    if taken:
        assert bench.get(fetcher, url, channel="meta")["mime_type"] == "image/png"
    else:
        error = bench.refused(fetcher, url, channel="meta")
        assert (type(error), error.code) == (TryAgain, "checksum")
