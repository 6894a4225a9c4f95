import hashlib
import http.server
import io
import socket
import sys
import threading
import urllib.parse
import zipfile

import pytest

from lsm_verify.datasets.fetch import MEMBER, BaseURLs, fetch
from lsm_verify.datasets.locate import DIGITISED_FILE, SUBFOLDER, TOWER_FILE
from lsm_verify.errors import InputError

CONTENT = b"a small stand-in for the tower file " * 100
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()
KEY = "secret-key-of-the-tests"
PACKAGE = "/package/eml/knb-lter-cap/591"
ARCHIVE = "/records/Urban-PLUMBER_FullCollection_v1.zip"


class Server:
    """A server on this machine: paths to bodies, and a list of what was asked."""

    def __init__(self):
        self.bodies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut: set[str] = set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                outer.asked.append(url.path)
                key = urllib.parse.parse_qs(url.query).get("key")
                body = outer.bodies.get(url.path)
                if url.path.startswith("/package/") and key != [KEY]:
                    self.send_error(403)
                elif body is None:
                    self.send_error(404)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2] if url.path in outer.cut else body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()
        base = f"http://127.0.0.1:{self.http.server_port}"
        self.urls = BaseURLs(zenodo=f"{base}/records", edi=f"{base}/package")

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def archive(member=MEMBER, content=CONTENT, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        opened.writestr("README.txt", "other things")
        opened.writestr(member, content)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    """Neither key nor proxy of the person who runs the tests."""
    monkeypatch.delenv("EDI_API_KEY", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(edi_file):
    pytest.importorskip("pooch")
    server = Server()
    server.bodies = {
        ARCHIVE: archive(),
        PACKAGE: b"7\n",
        "/package/name/eml/knb-lter-cap/591/7": b"abc,591_site_map.kml\ndef,591_fluxtower_data_x\n",
        "/package/data/eml/knb-lter-cap/591/7/def": edi_file().read_bytes(),
    }
    yield server
    server.close()


@pytest.fixture
def get(server, tmp_path):
    """Fetch from the test server into an empty cache."""

    def run(**options):
        fixed = {"base_urls": server.urls, "cache": tmp_path / "cache", "checksum": CHECKSUM}
        return fetch(**{**fixed, **options})

    return run


@pytest.fixture
def left(tmp_path):
    """Names of all files and folders in the cache below its subfolder."""
    return lambda: sorted(p.name for p in (tmp_path / "cache" / SUBFOLDER).glob("*"))


def test_all_of_it(get, left, server):
    result = get(edi_key=KEY)
    assert result.tower.read_bytes() == CONTENT
    assert result.soil.read_bytes() == server.bodies["/package/data/eml/knb-lter-cap/591/7/def"]
    assert result.written == (result.tower, result.soil)
    assert left() == ["591_fluxtower_data.csv", TOWER_FILE]


def test_what_is_there_is_not_downloaded_again(get, server, monkeypatch):
    get(edi_key=KEY)
    server.asked.clear()
    monkeypatch.setitem(sys.modules, "pooch", None)
    result = get()
    assert result.written == ()
    assert result.soil.is_file()
    assert server.asked == []


def test_key_from_the_environment(get, monkeypatch):
    monkeypatch.setenv("EDI_API_KEY", KEY)
    assert get().soil.is_file()


def test_a_damaged_file_is_replaced(get, server):
    path = get(edi_key=KEY).tower
    path.write_bytes(CONTENT[:-1])
    server.asked.clear()
    result = get(edi_key=KEY)
    assert result.written == (path,)
    assert path.read_bytes() == CONTENT
    assert server.asked == [ARCHIVE]


def test_a_damaged_soil_file_is_replaced(get):
    path = get(edi_key=KEY).soil
    path.write_bytes(path.read_bytes()[:-6])
    assert get(edi_key=KEY).written == (path,)


def test_archive_with_a_folder_around_it(get, server):
    server.bodies[ARCHIVE] = archive(member=f"Urban-PLUMBER_FullCollection_v1/{MEMBER}")
    assert get(soil=False).tower.read_bytes() == CONTENT


def test_tower_alone_needs_no_key(get, left, server):
    assert get(soil=False).soil is None
    assert left() == [TOWER_FILE]
    assert server.asked == [ARCHIVE]


@pytest.mark.parametrize("kind", ["original", "digitised"])
def test_file_at_hand(get, left, server, edi_file, digitised_file, kind):
    given = edi_file() if kind == "original" else digitised_file()
    name = "591_fluxtower_data.csv" if kind == "original" else DIGITISED_FILE
    result = get(soil_file=given)
    assert result.soil.read_bytes() == given.read_bytes()
    assert result.soil.name == name
    assert left() == sorted([name, TOWER_FILE])
    assert server.asked == [ARCHIVE]


def test_with_a_key_the_original_is_fetched_beside_the_digitised(get, digitised_file):
    get(soil_file=digitised_file())
    assert get().written == ()
    assert get(edi_key=KEY).soil.name == "591_fluxtower_data.csv"


def test_file_at_hand_that_is_wrong(get, left, server, tmp_path):
    (tmp_path / "mine.csv").write_text("TIMESTAMP,Temp\n1,2\n")
    with pytest.raises(InputError, match=r"mine\.csv: unknown column 'Temp_C_2_Avg'"):
        get(soil_file=tmp_path / "mine.csv")
    with pytest.raises(InputError, match=r"absent\.csv is not a file"):
        get(soil_file=tmp_path / "absent.csv")
    assert left() == []
    assert server.asked == []


def test_no_key(get, left, server):
    with pytest.raises(InputError, match=r"set EDI_API_KEY \(free.*--soil-file FILE.*--no-soil"):
        get()
    assert left() == []
    assert server.asked == []


def test_no_pooch(get, left, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(InputError, match=r'needs pooch.*pip install "lsm-verify\[data\]"'):
        get(soil=False)
    assert left() == []


def refused(get, left, words, **options):
    """Check one refusal: one line, no key in it, and nothing half-written."""
    before = left()
    with pytest.raises(InputError, match=words) as caught:
        get(**options)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert left() == before


@pytest.mark.parametrize(
    "body, words",
    [
        (archive(content=CONTENT + b"!"), rf"has sha256 \w+, {CHECKSUM} is wanted; try again"),
        (archive(member="US-Other/x.nc"), r"holds no US-WestPhoenix/timeseries/.*--data DIR"),
        (archive()[:200], r"is not a whole zip archive"),
        (b"<html>moved</html>", r"is not a whole zip archive"),
        (
            archive(method=zipfile.ZIP_STORED).replace(b"stand-in", b"stand-on"),
            r"is not a whole zip archive \(Bad CRC",
        ),
        (None, r"cannot be downloaded \(HTTP 404 Not Found\); check the network"),
    ],
)
def test_bad_archive(get, left, server, body, words):
    server.bodies[ARCHIVE] = body
    refused(get, left, words, soil=False)


def test_connection_that_breaks(get, left, server):
    server.cut.add(ARCHIVE)
    refused(get, left, r"cannot be downloaded \((ChunkedEncoding|Connection)Error\)", soil=False)


def test_no_network(get, left):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}"
        refused(
            get, left, r"cannot be downloaded \(ConnectionError\)",
            soil=False, base_urls=BaseURLs(zenodo=base),
        )  # fmt: skip


class TestSoilRefused:
    """The tower file is in place before; the failure of the soil file leaves it alone."""

    @pytest.fixture(autouse=True)
    def tower(self, get):
        get(soil=False)

    def test_wrong_key(self, get, left):
        refused(get, left, r"591 cannot be downloaded \(HTTP 403 Forbidden\)", edi_key="wrong")

    @pytest.mark.parametrize(
        "path, body, words",
        [
            (PACKAGE, b"<html>login</html>", r"answers '<html>.*number of a revision.*--soil-file"),
            ("/package/name/eml/knb-lter-cap/591/7", b"a,b.csv\n", r"has 0 tables .*: b\.csv; get"),
            ("/package/name/eml/knb-lter-cap/591/7", b"", r"has 0 tables .* none; get"),
            (
                "/package/name/eml/knb-lter-cap/591/7",
                b"a,fluxtower_1\nb,fluxtower_2\n",
                r"has 2 tables .*fluxtower_1, fluxtower_2",
            ),
            ("/package/data/eml/knb-lter-cap/591/7/def", None, r"def cannot be .*HTTP 404"),
            ("/package/data/eml/knb-lter-cap/591/7/def", b"x,y\n1,2\n", r"no column 'TIMESTAMP'"),
        ],
    )
    def test_answers(self, get, left, server, path, body, words):
        server.bodies[path] = body
        refused(get, left, words, edi_key=KEY)

    def test_no_network(self, get, left, server):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            base = f"http://127.0.0.1:{unused.getsockname()[1]}"
            urls = BaseURLs(zenodo=server.urls.zenodo, edi=base)
            refused(get, left, "ConnectionError", edi_key=KEY, base_urls=urls)


def test_cache_that_cannot_be_written(get, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match=r"cannot write the data to .*taken.*choose another"):
        get(soil=False, cache=tmp_path / "taken")


def test_progress_goes_to_standard_error(get, capsys):
    get(soil=False, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Urban-PLUMBER_FullCollection_v1.zip: 100 %" in err


def test_silent_otherwise(get, capsys):
    get(soil=False)
    assert capsys.readouterr() == ("", "")
