import gzip
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message, Scope

from bff.explorer import Tab, routes

TABS = (Tab("Greet", "query Greet($name: String!) { hello(name: $name) }", {"name": "you"}), Tab("Bare", "{ hello }"))

SCRIPT = "index-DaK9A71U.js"


def application(build: Path, *, token: Callable[[], str] | None = None) -> Starlette:
    return Starlette(routes=routes(endpoint="/graphql", tabs=lambda: TABS, token=token, build=build))


def client(build: Path, *, token: Callable[[], str] | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(build, token=token)), base_url="http://test")


def policy(answer: httpx.Response) -> dict[str, str]:
    directives = (each.strip().partition(" ") for each in answer.headers["Content-Security-Policy"].split(";"))
    return {name: sources for name, _, sources in directives}


@pytest.fixture
def built(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    (build / "assets").mkdir(parents=True)
    (build / "index.html").write_text('<meta property="csp-nonce" nonce="{{nonce}}">built', encoding="utf-8")
    (build / "assets" / SCRIPT).write_text("plain();", encoding="utf-8")
    (build / "assets" / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"packed();"))
    (build / "assets" / "codicon-DCmgc-ay.ttf").write_bytes(b"font")
    (build / "assets" / ".hidden.js").write_text("hidden", encoding="utf-8")
    (build / "stamp").write_text("stamp", encoding="utf-8")
    (tmp_path / "secret.js").write_text("secret", encoding="utf-8")
    return build


async def test_the_built_page_is_served(built: Path) -> None:
    async with client(built) as http:
        for path in ("/graphiql", "/graphiql/"):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert answer.text.endswith("built")
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-store"


async def test_each_answer_has_a_nonce_of_its_own(built: Path) -> None:
    async with client(built) as http:
        first, second = await http.get("/graphiql"), await http.get("/graphiql")
    nonces = [policy(each)["style-src"].removeprefix("'self' 'nonce-").removesuffix("'") for each in (first, second)]
    assert nonces[0] != nonces[1]
    assert f'nonce="{nonces[0]}"' in first.text
    assert "{{" not in first.text


async def test_the_plain_page_takes_the_place_of_one_that_is_not_built(tmp_path: Path) -> None:
    async with client(tmp_path / "build") as http:
        page = await http.get("/graphiql")
        assert page.status_code == 200
        assert "make explorer" in page.text
        for name, kind in (("plain.js", "text/javascript"), ("plain.css", "text/css")):
            assert f'"/graphiql/{name}"' in page.text
            answer = await http.get(f"/graphiql/{name}")
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith(kind)
            assert answer.headers["Cache-Control"] == "no-cache"


async def test_the_page_appears_as_soon_as_it_is_built(tmp_path: Path) -> None:
    build = tmp_path / "build"
    async with client(build) as http:
        assert "make explorer" in (await http.get("/graphiql")).text
        build.mkdir()
        (build / "index.html").write_text("built", encoding="utf-8")
        assert (await http.get("/graphiql")).text == "built"


async def test_every_answer_is_guarded(built: Path, tmp_path: Path) -> None:
    paths = (
        "/graphiql",
        "/graphiql/",
        "/graphiql/session.json",
        "/graphiql/plain.js",
        "/graphiql/plain.css",
        f"/graphiql/assets/{SCRIPT}",
        "/graphiql/assets/missing.js",
        "/graphiql/missing",
    )
    for build in (built, tmp_path / "nothing"):
        async with client(build) as http:
            answers = [await http.get(path) for path in paths]
            answers += [await http.post(path) for path in ("/graphiql", "/graphiql/session.json")]
        for answer in answers:
            rules = policy(answer)
            assert rules["default-src"] == "'none'"
            assert rules["script-src"] == "'self'"
            assert rules["connect-src"] == "'self'"
            assert rules["img-src"] == "'self' data:"
            assert {rules[each] for each in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
            assert "'unsafe-inline'" not in rules["style-src"]
            assert "'unsafe-eval'" not in answer.headers["Content-Security-Policy"]
            assert "http" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_only_the_full_page_may_style_in_line(built: Path, tmp_path: Path) -> None:
    async with client(built) as http:
        assert policy(await http.get("/graphiql"))["style-src-attr"] == "'unsafe-inline'"
        assert "unsafe" not in (await http.get("/graphiql/session.json")).headers["Content-Security-Policy"]
    async with client(tmp_path / "nothing") as http:
        assert "unsafe" not in (await http.get("/graphiql")).headers["Content-Security-Policy"]


async def test_the_session_names_endpoint_token_and_tabs(built: Path) -> None:
    tokens = iter(("first", "second"))
    async with client(built, token=lambda: next(tokens)) as http:
        answers = [await http.get("/graphiql/session.json") for _ in range(2)]
    assert answers[0].json() == {
        "endpoint": "/graphql",
        "token": "first",
        "tabs": [
            {"title": "Greet", "query": TABS[0].query, "variables": {"name": "you"}},
            {"title": "Bare", "query": "{ hello }", "variables": None},
        ],
    }
    assert answers[1].json()["token"] == "second"
    assert {each.headers["Cache-Control"] for each in answers} == {"no-store"}


async def test_no_token_is_given_away_unasked(built: Path) -> None:
    async with client(built) as http:
        assert (await http.get("/graphiql/session.json")).json()["token"] is None


async def test_assets_are_kept_for_a_year(built: Path) -> None:
    async with client(built) as http:
        script = await http.get(f"/graphiql/assets/{SCRIPT}", headers={"Accept-Encoding": "identity"})
        font = await http.get("/graphiql/assets/codicon-DCmgc-ay.ttf")
    assert script.text == "plain();"
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "Content-Encoding" not in script.headers
    assert font.headers["Content-Type"] == "font/ttf"
    for answer in (script, font):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_assets_go_packed_to_those_who_can_unpack_them(built: Path) -> None:
    async with client(built) as http:
        answer = await http.get(f"/graphiql/assets/{SCRIPT}", headers={"Accept-Encoding": "br, gzip"})
    assert answer.text == "packed();"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/graphiql/assets/../stamp",
        "/graphiql/assets/../../secret.js",
        "/graphiql/assets/..\\..\\secret.js",
        "/graphiql/assets/..",
        "/graphiql/assets/",
        "/graphiql/assets",
        "/graphiql/assets/.hidden.js",
        f"/graphiql/assets/{SCRIPT}.gz",
        f"/graphiql/assets/{SCRIPT}\0",
        f"/graphiql/assets/{SCRIPT}\n",
        "/graphiql/../__init__.py",
        "/graphiql//plain.js",
        "/graphiql/stamp",
        "/graphiql/package.json",
        "/graphiql/__init__.py",
    ],
)
async def test_nothing_else_can_be_read(built: Path, path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    # Past httpx, which would tidy the path before it arrives.
    scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await application(built)(scope, receive, send)
    assert sent[0]["status"] == 404
    assert sent[1]["body"] == b"Not Found\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_page_is_only_read(built: Path, method: str) -> None:
    async with client(built) as http:
        answer = await http.request(method, "/graphiql")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
