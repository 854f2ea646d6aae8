"""An answering user agent on sippy: 180, 200 with a fixed answer, BYE. `PORT` is its only argument."""

import os
import sys
from typing import Any

os.environ.setdefault("SIPLOG_BEND", "none")

from sippy.CCEvents import CCEventConnect, CCEventRing, CCEventTry
from sippy.Core.EventDispatcher import ED2
from sippy.MsgBody import MsgBody
from sippy.SipConf import SipConf
from sippy.SipLogger import SipLogger
from sippy.SipTransactionManager import SipTransactionManager
from sippy.UA import UA

PORT = int(sys.argv[1])
ANSWER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

settings: dict[str, Any] = {
    "nh_addr": ("127.0.0.1", 5060),
    "_sip_address": "127.0.0.1",
    "_sip_port": PORT,
    "_sip_logger": SipLogger("answerer", level="ERROR") if "level" in SipLogger.__init__.__code__.co_varnames else SipLogger("answerer"),
}


def happened(event: Any, agent: Any) -> None:
    """180 and 200 to each new call."""
    if isinstance(event, CCEventTry):
        agent.recvEvent(CCEventRing((180, "Ringing", None)))
        agent.recvEvent(CCEventConnect((200, "OK", MsgBody(ANSWER))))


def requested(request: Any, transaction: Any) -> Any:
    """New calls are served, all else outside dialogs refused."""
    if request.getHFBody("to").getTag() is None and request.getMethod() == "INVITE":
        return UA(settings, event_cb=happened).recvRequest(request, transaction)
    return (request.genResponse(200 if request.getMethod() == "OPTIONS" else 481, "Done"), None, None)


SipConf.my_uaname = "answerer"
settings["_sip_tm"] = SipTransactionManager(settings, requested)
ED2.loop()
