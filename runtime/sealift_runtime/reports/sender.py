"""Reports to the hub over HTTP, in order, as often as it takes."""

from __future__ import annotations

import io
import logging
import urllib.parse
from typing import Any, Final

import requests

from sealift_core.clock import SystemClock
from sealift_core.errors import DocumentError, LimitError, ReportsRefusedError, TransportError
from sealift_core.http.failures import certificate_trouble, reason
from sealift_core.http.http_session import HttpSession
from sealift_core.http.urls import check_url, redacted
from sealift_core.messages.receipt import MAX_BYTES, Receipt
from sealift_core.schema.documents import Document
from sealift_runtime.reports.hub_key import HubKey
from sealift_runtime.reports.spool import ReportSpool

TIMEOUT_S: Final = (10.0, 60.0)
#: A request may take `TIMEOUT_S` and what its body takes at this rate, however its packets are spread.
LEAST_BYTES_PER_S: Final = 8 * 1024
OK, CREATED, NOT_FOUND, CONFLICT = 200, 201, 404, 409
#: From here on it is the hub that is in trouble: it may take the same report later.
SERVER_ERROR: Final = 500
_LOG: Final = logging.getLogger("sealift.report")
_CA_ADVICE: Final = "If the hub's certificate is from a private CA, set source.ca_file in agent.toml to the CA's certificate."
_ADVICE: Final = {
    401: "The hub requires a password. Put it into ~/.netrc of the user who runs the agent.",
    403: "See the device's page on the hub. If that shows a conflict, run sealift-hub resume there.",
    404: "Check that this is the address of a hub.",
    413: "A proxy in front of the hub limits the size of a request. Allow 32 MiB there.",
}


class HubClient:
    """One device's conversation with one hub; answers are read up to a bound, and receipts are checked by the hub's ``key``."""

    def __init__(self, spool: ReportSpool, hub_url: str, http: HttpSession, key: HubKey) -> None:
        self._hub = check_url(hub_url, where="hub", what="a hub")
        self._spool = spool
        self._key = key
        self._url = f"{self._hub}/api/v1/devices/{spool.device}"
        self._http = http

    def enrol(self) -> None:
        """Tell the hub this device's public key; a hub that knows it says so. Its receipt may pin the hub's key."""
        status, body = self._send("PUT", self._url, self._spool.public_key.pem(), "application/x-pem-file")
        if status not in (OK, CREATED):
            raise self._refusal("the hub refused to enrol this device", status, body)
        self._receipt(body)
        _LOG.info("The hub %s knows this device, %s", self._hub, self._spool.device)

    def post(self, number: int, envelope: bytes) -> Receipt | int:
        """Hand one report over; the hub's receipt, or the number of the newest report that it has if some are missing before this one."""
        status, body = self._send("POST", f"{self._url}/reports", envelope, "application/json")
        if status == NOT_FOUND:
            self.enrol()
            status, body = self._send("POST", f"{self._url}/reports", envelope, "application/json")
        if status == CONFLICT:
            return self._newest(number, body)
        if status != OK:
            raise self._refusal(f"the hub refused report {number}", status, body)
        receipt = self._receipt(body)
        if receipt.acknowledged < number:
            raise ReportsRefusedError(
                "the hub's receipt leaves the report out", where=self._hub, expected=f"{number} or more", found=str(receipt.acknowledged)
            )
        return receipt

    def _send(self, method: str, url: str, data: bytes, content_type: str) -> tuple[int, bytes]:
        try:
            with self._http.within(sum(TIMEOUT_S) + len(data) / LEAST_BYTES_PER_S):
                return self._exchange(method, url, data, content_type)
        except requests.exceptions.SSLError as error:
            message, advice = certificate_trouble(error, SystemClock().now())
            raise TransportError(message, where=self._hub, advice=advice or _CA_ADVICE) from error
        except requests.RequestException as error:
            raise TransportError(
                f"the hub can't be reached ({reason(error)})",
                where=self._hub,
                advice="No report is lost: this device keeps its reports until they can be sent.",
            ) from error

    def _exchange(self, method: str, url: str, data: bytes, content_type: str) -> tuple[int, bytes]:
        stream = io.BytesIO(data)  # sent block by block, each within the timeout; bytes would have to go at once
        headers = {"Content-Type": content_type}
        with self._http.request(method, url, data=stream, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as answer:
            if answer.is_redirect:
                raise self._redirected(url, answer)
            return answer.status_code, _bounded(answer)

    def _redirected(self, url: str, answer: requests.Response) -> ReportsRefusedError:
        """A report is sent where it was said that it goes, nowhere else."""
        target = redacted(urllib.parse.urljoin(url, answer.headers["Location"]))
        advice = (
            "If that is the hub, set hub.url in agent.toml to this address. No report is lost: this device keeps its reports until they can be sent."
        )
        return ReportsRefusedError("the hub redirects elsewhere", where=self._hub, found=target, advice=advice)

    def _receipt(self, body: bytes) -> Receipt:
        try:
            return self._key.open_answer(body, where=self._hub)
        except DocumentError as error:
            raise ReportsRefusedError(
                "the answer isn't a receipt of a hub", where=self._hub, found=repr(body[:80]), advice="Check that this is the address of a hub."
            ) from error

    def _newest(self, number: int, body: bytes) -> int:
        """The number that a hub names which misses reports. It is a hint, signed by nobody: it lets nothing go."""
        newest = _fields(body).get("acknowledged")
        if type(newest) is not int or not 0 <= newest < number:
            raise self._refusal("the hub's answer doesn't say which report it expects", CONFLICT, body)
        return newest

    def _refusal(self, message: str, status: int, body: bytes) -> TransportError:
        advice = _ADVICE.get(status, "No report is lost: this device keeps its reports until they can be sent.")
        kind = TransportError if status >= SERVER_ERROR else ReportsRefusedError
        return kind(message, where=self._hub, found=f"status {status}: {_reason(body)}", advice=advice)


def send_pending(spool: ReportSpool, hub_url: str, http: HttpSession, key: HubKey) -> int:
    """Send every report without a receipt, in order; how many the hub newly has.

    1. Post the oldest. A hub that doesn't know this device (404) is told its key, once, and asked again.
    2. A receipt lets go what it confirms, and the report after its number has its turn.
    3. A gap (409) sends us back, once, to the oldest report behind the one that the hub has: acknowledged ones are kept for a while. A hub that
       misses even older ones takes the chain up again only if its operator says so, with the oldest report that this device has.

    Stops at the first failure with a `TransportError`, `SignatureError` for a receipt that the hub didn't sign, `ReportError` for one that can't
    be. What was acknowledged stays so.
    """
    hub = HubClient(spool, hub_url, http, key)
    before = at = spool.chain.acknowledged
    went_back = False
    while (report := spool.next_report(at)) is not None:
        number, envelope = report
        answer = hub.post(number, envelope)  # 1
        if isinstance(answer, Receipt):
            _LOG.info("Sent report %d to %s; the hub has every report up to %d", number, redacted(hub_url), answer.acknowledged)
            spool.acknowledge(answer)  # 2
            at = answer.acknowledged
            continue
        oldest = spool.next_report(answer)  # 3
        if went_back or oldest is None or oldest[0] == number:
            raise _lost(spool, hub_url, answer, number)
        went_back, at = True, oldest[0] - 1
    return max(0, spool.chain.acknowledged - before)


def _lost(spool: ReportSpool, hub_url: str, newest: int, number: int) -> ReportsRefusedError:
    advice = (
        f"The hub's database was lost or restored from a copy. Run sealift-hub resume {spool.device[:12]} at the hub: it takes this device up again, "
        "with a gap that it shows."
    )
    return ReportsRefusedError(
        "the hub lost reports that it had acknowledged",
        where=redacted(hub_url),
        expected=f"report {newest + 1}",
        found=f"report {number} is the oldest that this device still has",
        advice=advice,
    )


def _bounded(answer: requests.Response) -> bytes:
    """At most `MAX_BYTES` of an answer's body; what is longer is no receipt anyway."""
    body = b""
    for part in answer.iter_content(8192):
        body += part
        if len(body) >= MAX_BYTES:
            break
    return body[:MAX_BYTES]


def _reason(body: bytes) -> str:
    reason = _fields(body).get("error")
    return reason[:500] if isinstance(reason, str) else repr(body[:200])


def _fields(body: bytes) -> dict[str, Any]:
    """The fields of an answer that is a JSON object; none if it is anything else."""
    try:
        return Document.parse_json(body, where="answer", max_bytes=MAX_BYTES).raw()
    except (DocumentError, LimitError):
        return {}
