"""DCE/RPC over TCP and over pipes: interfaces bound to, operations called, ports answered.

Operation numbers are in the clear even where calls are sealed. Sources: C706 chapter 12 and
appendix L, [MS-RPCE] 2.2.2; operations: [MS-SCMR], [MS-TSCH], [MS-SAMR], [MS-SRVS], [MS-WKST],
[MS-DRSR], [MS-WMI], [MS-DCOM], [MS-RRP], [MS-RPRN], [MS-EFSR].
"""

from collections.abc import Iterator
from uuid import UUID

from workbench.capture.protocols.ntlm import ntlm
from workbench.capture.protocols.reading import big, little
from workbench.model.spoken import Act, Said

_DCOM = "-0000-0000-c000-000000000046"
INTERFACES = {
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": "epm",
    "367abb81-9844-35f1-ad32-98f038001003": "svcctl",
    "1ff70682-0a51-30e8-076d-740be8cee98b": "atsvc",
    "378e52b0-c0a9-11cf-822d-00aa0051e40f": "sasec",
    "86d35949-83c9-4044-b424-db363231fd0c": "ITaskSchedulerService",
    "12345778-1234-abcd-ef00-0123456789ac": "samr",
    "12345778-1234-abcd-ef00-0123456789ab": "lsarpc",
    "12345678-1234-abcd-ef00-01234567cffb": "netlogon",
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2": "drsuapi",
    "4b324fc8-1670-01d3-1278-5a47bf6ee188": "srvsvc",
    "6bffd098-a112-3610-9833-46c3f87e345a": "wkssvc",
    "338cd001-2244-31f1-aaaa-900038001003": "winreg",
    "12345678-1234-abcd-ef00-0123456789ab": "spoolss",
    "c681d488-d850-11d0-8c52-00c04fd90f7e": "efsrpc",
    "df1941c5-fe89-4e79-bf10-463657acf44d": "efsrpc",
    "9556dc99-828c-11cf-a37e-00aa003240c7": "IWbemServices",
    "f309ad18-d86a-11d0-a075-00c04fb68820": "IWbemLevel1Login",
    "99fcfec4-5260-101b-bbcb-00aa0021347a": "IObjectExporter",
    "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57": "IActivation",
    f"000001a0{_DCOM}": "IRemoteSCMActivator",
    f"00000131{_DCOM}": "IRemUnknown",
    f"00000143{_DCOM}": "IRemUnknown2",
    f"00020400{_DCOM}": "IDispatch",
}
"""UUID → the name that people know an interface by."""
_BY_BYTES = {UUID(text).bytes_le: name for text, name in INTERFACES.items()}
PIPES = {
    "svcctl": "svcctl", "atsvc": "atsvc", "samr": "samr", "lsarpc": "lsarpc", "srvsvc": "srvsvc",
    "wkssvc": "wkssvc", "winreg": "winreg", "drsuapi": "drsuapi", "netlogon": "netlogon",
    "spoolss": "spoolss", "efsrpc": "efsrpc",
}  # fmt: skip
"""Pipe → the interface it is for, where its binding was not seen."""
OPERATIONS = {
    "svcctl": {
        1: "ControlService", 2: "DeleteService", 11: "ChangeServiceConfig", 12: "CreateService",
        14: "EnumServicesStatus", 15: "OpenSCManager", 16: "OpenService", 19: "StartService",
        23: "ChangeServiceConfig", 24: "CreateService", 26: "EnumServicesStatus",
        27: "OpenSCManager", 28: "OpenService", 31: "StartService", 42: "EnumServicesStatus",
        44: "CreateService", 45: "CreateService", 60: "CreateService",
    },
    "atsvc": {0: "JobAdd", 2: "JobEnum"},
    "ITaskSchedulerService": {
        1: "RegisterTask", 6: "EnumTasks", 7: "EnumTasks", 12: "Run", 13: "Delete",
    },
    "samr": {
        11: "EnumerateGroups", 13: "EnumerateUsers", 15: "EnumerateAliases",
        25: "GetMembersInGroup", 33: "GetMembersInAlias", 40: "QueryDisplayInformation",
        48: "QueryDisplayInformation", 51: "QueryDisplayInformation",
    },
    "srvsvc": {
        8: "NetConnectionEnum", 9: "NetFileEnum", 12: "NetSessEnum", 15: "NetShareEnum",
        36: "NetShareEnum",
    },
    "wkssvc": {2: "NetWkstaUserEnum"},
    "drsuapi": {3: "DRSGetNCChanges", 4: "DRSReplicaSync", 17: "DRSAddEntry"},
    "winreg": {6: "CreateKey", 22: "SetValue"},
    "IWbemServices": {14: "PutInstance", 20: "ExecQuery", 24: "ExecMethod", 25: "ExecMethod"},
    "IRemoteSCMActivator": {4: "RemoteCreateInstance"},
    "IActivation": {0: "RemoteActivation"},
    "IDispatch": {6: "Invoke"},
    "spoolss": {62: "ChangeNotification", 65: "ChangeNotification"},
    "efsrpc": {0: "OpenFileRaw", 4: "EncryptFile", 5: "DecryptFile"},
}  # fmt: skip
"""Operations that mean something to a finding."""
_REQUEST, _RESPONSE, _BIND, _ALTER, _AUTH = 0, 2, 11, 14, 16
_MOST = 32
_PORT_FLOOR = b"\x01\x00\x07\x02\x00"
_UUID_FLOOR = b"\x13\x00\x0d"
"""Floors of a tower (C706 appendix L) for TCP, with two bytes of port, and for an interface."""


def size_of(head: bytes) -> int:
    """Bytes of a PDU by its first 16; 0 for what is none."""
    if len(head) < 16 or head[0] != 5 or head[1] > 1 or head[2] > 19 or head[4] not in (0, 16):
        return 0
    size = _two(head, 8)
    return size if size >= 16 else 0


def _two(data: bytes, at: int) -> int:
    return little(data, at, 2) if data[4] & 16 else big(data, at, 2)


class RpcTalk:
    """One association: context numbers mean what they were bound to."""

    def __init__(self, default: str = "") -> None:
        self._default = default
        self._bound: dict[int, str] = {}
        self.ports: dict[int, str] = {}
        """TCP ports that the endpoint mapper has just answered → the interface there."""

    def request(self, data: bytes) -> Iterator[Said]:
        """One PDU of the client, or several."""
        for pdu in pdus(data):
            kind = pdu[2]
            if kind in (_BIND, _ALTER):
                for context, name in _contexts(pdu):
                    if len(self._bound) < _MOST:
                        self._bound[context] = name
                    if name:
                        yield Said(Act.BIND, name)
            elif kind == _REQUEST and len(pdu) >= 24 and pdu[3] & 1:  # the first fragment
                name = self._bound.get(_two(pdu, 20), self._default)
                operation = _two(pdu, 22)
                if told := OPERATIONS.get(name, {}).get(operation):
                    yield Said(Act.CALL, f"{name}.{told}", "", operation)
            if kind in (_BIND, _ALTER, _AUTH):
                yield from ntlm(pdu)

    def answer(self, data: bytes) -> Iterator[Said]:
        """One PDU of the server, or several."""
        for pdu in pdus(data):
            if pdu[2] == _RESPONSE and "epm" in self._bound.values():
                self.ports = dict(_ports(pdu))
            elif pdu[2] in (12, 15):
                yield from ntlm(pdu)


def pdus(data: bytes) -> Iterator[bytes]:
    """PDUs one behind the other; the last may be cut short."""
    for _ in range(_MOST):
        size = size_of(data)
        if not size:
            return
        yield data[:size]
        data = data[size:]


def _contexts(pdu: bytes) -> Iterator[tuple[int, str]]:
    """Context number and interface (empty for one that we do not know)."""
    at = 28
    for _ in range(min(pdu[24] if len(pdu) > 24 else 0, _MOST)):
        if at + 24 > len(pdu):
            return
        uuid = pdu[at + 4 : at + 20]
        if not pdu[4] & 16:
            uuid = UUID(bytes=uuid).bytes_le
        yield _two(pdu, at), _BY_BYTES.get(uuid, "")
        at += 24 + 20 * pdu[at + 2]


def _ports(pdu: bytes) -> Iterator[tuple[int, str]]:
    """What the towers in an answer say: a floor for the interface, and one for its port."""
    at, name = 24, ""
    for _ in range(_MOST):
        port, interface = pdu.find(_PORT_FLOOR, at), pdu.find(_UUID_FLOOR, at)
        if port < 0:
            return
        if 0 <= interface < port:
            at = interface + len(_UUID_FLOOR)
            name = _BY_BYTES.get(pdu[at : at + 16], name)
        else:
            at = port + len(_PORT_FLOOR)
            yield big(pdu, at, 2), name
            name = ""
