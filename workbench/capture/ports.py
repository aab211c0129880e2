"""Server ports that an engineer recognises: the `well-known` evidence for a flow's direction.

A port is listed when a service is commonly found listening there and clients are not: ephemeral
ports begin at 1024 (old Windows), 32768 (Linux) or 49152 (RFC 6335), so every entry above 1023 is a
deliberate choice. Sources: IANA service names and port numbers; the vendors' port references.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ANY_PROTOCOL, SCTP, TCP, UDP, ServiceRange

_BOTH = (
    7, 9, 13, 17, 19, 37,  # echo, discard, daytime, quote, chargen, time
    53, 88, 111, 135, 137, 138, 139,  # DNS, Kerberos, portmapper, RPC, NetBIOS
    123, 161, 162, 177, 201,  # NTP, SNMP, traps, XDMCP, AppleTalk
    389, 427, 443, 445, 464, 500, 514, 521, 554,  # LDAP, SLP, HTTPS (QUIC), SMB, kpasswd, IKE, syslog, RIPng, RTSP
    546, 547, 587, 593, 623, 631, 636, 749, 750, 751,  # DHCPv6, submission, RPC over HTTP, IPMI, IPP, LDAPS, kadmin
    853, 861, 862, 902, 989, 990,  # DNS over TLS, TWAMP, ESX, FTPS
    1194, 1434, 1701, 1719, 1812, 1813, 1900, 2049,  # OpenVPN, SQL browser, L2TP, H.323, RADIUS, SSDP, NFS
    3268, 3269, 3389, 3478, 3479, 3702, 4500, 5060, 5061,  # global catalog, RDP, STUN, WS-Discovery, NAT-T, SIP
    5349, 5353, 5355, 5357, 5683, 5684,  # TURN, mDNS, LLMNR, WSDAPI, CoAP
    11211, 47808,  # memcached, BACnet
    2222, 44818, 4840, 20000, 34964, 5094, 9600, 55000, 55001, 55002, 55003,  # EtherNet/IP, OPC UA, DNP3, PROFINET CM, HART-IP, OMRON FINS, FL-net
    4712, 4713,  # C37.118
)  # fmt: skip
_TCP_ONLY = (
    20, 21, 22, 23, 25, 43, 49, 70, 79, 80, 81, 83, 102, 104, 106, 109, 110, 113, 119, 143, 179,
    # FTP, SSH, telnet, SMTP, whois, TACACS+, gopher, finger, HTTP, S7 and MMS, DICOM, mail, BGP
    199, 311, 363, 366, 383, 406, 407, 416, 425, 465, 502, 512, 513, 515, 541, 543, 544, 548, 563,
    # SMUX, SMTPS, Modbus, r-commands, LPD, FortiManager, kerberized r-commands, AFP
    616, 625, 646, 647, 666, 674, 691, 700, 765, 777, 787, 800, 808, 830, 843, 860, 873, 888, 898,
    # LDP, DHCP failover, NETCONF, iSCSI, rsync
    901, 903, 911, 912, 953, 981, 987, 991, 992, 993, 995, 999, 1010, 1011,  # VMware, rndc, IMAPS, POP3S
    1080, 1099, 1089, 1090, 1091, 1337, 1344, 1352, 1414, 1433, 1494, 1521, 1522, 1526, 1583, 1604,
    # SOCKS, RMI, Foundation Fieldbus, ICAP, Notes, MQ, SQL Server, Citrix, Oracle
    1720, 1723, 1801, 1830, 1883, 1911, 1935, 1962, 1998, 2000, 2002, 2082, 2083, 2086, 2087, 2103,
    # H.323, PPTP, MSMQ, MQTT, Niagara Fox, RTMP, PCWorx, SCCP
    2105, 2107, 2181, 2179, 2375, 2376, 2377, 2379, 2380, 2381, 2382, 2383, 2404, 2427, 2455, 2484,
    # ZooKeeper, Hyper-V, Docker, etcd, Analysis Services, IEC 104, CODESYS, Oracle TLS
    2525, 2638, 2701, 2801, 2809, 2869, 2888, 3000, 3001, 3050, 3060, 3100, 3128, 3260, 3300, 3306,
    # Sybase, SCCM, UPnP, Grafana, Firebird, Loki, Squid, iSCSI, Ceph, MySQL
    3299, 3310, 3312, 3320, 3351, 3388, 3632, 3690, 3868, 3888, 4000, 4001, 4369, 4422, 4443, 4444,
    # clamd, Subversion, Diameter, Erlang, alternate HTTPS
    4505, 4506, 4567, 4568, 4646, 4647, 4750, 4848, 4899, 4911, 4949, 4950, 5000, 5001, 5007, 5040,
    # Salt, Galera, Nomad, GlassFish, Radmin, Niagara, munin, Melsec, registries
    5044, 5052, 5140, 5190, 5222, 5223, 5269, 5280, 5353, 5432, 5433, 5450, 5457, 5458, 5473, 5480,
    # Beats, XMPP, PostgreSQL, PI, Calico Typha, vCenter
    5500, 5555, 5601, 5631, 5633, 5666, 5667, 5671, 5672, 5693, 5696, 5722, 5723, 5800, 5801, 5900,
    # Kibana, NRPE, AMQP, KMIP, DFSR, SCOM, VNC
    5901, 5902, 5903, 5984, 5985, 5986, 6000, 6001, 6050, 6080, 6081, 6101, 6106, 6129, 6160, 6161,
    # CouchDB, WinRM, X11, ARCserve, Backup Exec, Veeam
    6162, 6379, 6380, 6443, 6444, 6514, 6556, 6600, 6646, 6667, 6789, 6881, 7000, 7001, 7002, 7070,
    # Redis, Kubernetes API, syslog TLS, Checkmk, IRC, Ceph, Cassandra, WebLogic
    7077, 7199, 7400, 7443, 7473, 7474, 7680, 7687, 7700, 7777, 7946, 8000, 8001, 8002, 8003, 8004,
    # Spark, Neo4j, delivery optimization, swarm, HTTP
    8005, 8006, 8007, 8008, 8009, 8010, 8014, 8020, 8040, 8042, 8060, 8061, 8069, 8080, 8081, 8082,
    # Proxmox, AJP, Hadoop, HTTP
    8083, 8084, 8085, 8086, 8087, 8088, 8089, 8090, 8091, 8092, 8093, 8094, 8095, 8096, 8098, 8099,
    # InfluxDB, Splunk, Couchbase
    8100, 8111, 8112, 8118, 8123, 8140, 8161, 8181, 8191, 8200, 8201, 8300, 8301, 8302, 8333, 8383,
    # ClickHouse, Puppet, ActiveMQ, Vault, Consul
    8400, 8443, 8444, 8445, 8472, 8500, 8501, 8502, 8503, 8529, 8530, 8531, 8554, 8600, 8649, 8686,
    # HTTPS, Consul, ArangoDB, WSUS, RTSP
    8728, 8729, 8800, 8834, 8880, 8883, 8886, 8888, 8889, 8983, 9000, 9001, 9002, 9003, 9009, 9042,
    # MikroTik, Nessus, MQTT TLS, Solr, ClickHouse, MinIO, Cassandra
    9043, 9060, 9080, 9090, 9091, 9092, 9093, 9094, 9095, 9097, 9098, 9099, 9100, 9101, 9102, 9103,
    # WebSphere, Prometheus, Kafka, printers, Bacula
    9104, 9113, 9115, 9117, 9121, 9150, 9153, 9160, 9187, 9200, 9201, 9216, 9253, 9300, 9301, 9389,
    # exporters, Elasticsearch, AD Web Services
    9392, 9393, 9394, 9398, 9401, 9418, 9419, 9443, 9500, 9501, 9502, 9797, 9876, 9998, 9999, 10000,
    # Veeam, git, Webmin
    10001, 10002, 10050, 10051, 10101, 10123, 10248, 10249, 10250, 10255, 10256, 10257, 10259, 10443,
    # Zabbix, SCCM, kubelet and the Kubernetes control plane
    10933, 10943, 11001, 11111, 11214, 11215, 11371, 12201, 12345, 13000, 13722, 13724, 13782, 14265,
    # Octopus, metasys, Graylog, NetBackup
    15000, 15001, 15006, 15010, 15012, 15014, 15017, 15020, 15021, 15090, 15671, 15672, 15692, 16010,
    # Istio, RabbitMQ
    16379, 16509, 16514, 16686, 16992, 16993, 17185, 18080, 18245, 18246, 18086, 18091, 18092, 19000,
    # Redis cluster, libvirt, Jaeger, AMT, GE SRTP
    19071, 19532, 19999, 20222, 20256, 20547, 21064, 22222, 24007, 24008, 25565, 25672, 26257, 27015,
    # PCOM, ProConOS, Gluster, Cockroach
    27017, 27018, 27019, 28015, 28017, 29418, 30718, 31000, 31297, 32400, 33060, 34567, 37777, 41100,
    # MongoDB, Gerrit, MySQL X, cameras
    44158, 50000, 50013, 50070, 50075, 51235,  # DB2 and SAP, HDFS
    *range(3200, 3210), *range(3600, 3605),  # SAP
)  # fmt: skip
_UDP_ONLY = (
    67, 69, 113, 192, 319, 320, 434, 497, 512, 513, 518, 520, 525, 626, 664, 698,
    # DHCP, TFTP, PTP, mobile IP, RIP, OLSR
    1027, 1119, 1167, 1604, 1645, 1646, 1885, 1967, 2055, 2056, 2152, 2123, 2427, 2727, 3074, 3222,
    # Citrix, old RADIUS, NetFlow, GTP, MGCP
    3260, 3503, 3544, 3784, 3785, 4729, 4739, 4784, 4789, 4790, 5004, 5005, 5093, 5246, 5247, 5351,
    # Teredo, BFD, IPFIX, VXLAN, RTP, CAPWAP, NAT-PMP
    5405, 6081, 6343, 6514, 6635, 6784, 7400, 7946, 8125, 8211, 8301, 8302, 8472, 8600, 8805, 9995,
    # corosync, GENEVE, sFlow, swarm, statsd, Consul, flannel, PFCP, NetFlow
    9996, 10001, 11753, 12201, 18514, 19132, 33848, 34962, 34963, 41641, 51820, 51821, 10161, 10162,
    # UniFi, Graylog, PROFINET, Tailscale, WireGuard, SNMP over DTLS
)  # fmt: skip
_SCTP = (
    2904, 2905, 2944, 2945, 3565, 3868, 5060, 5061, 5868, 9899, 9900, 9901, 9902, 14001, 29118, 29168,
    29169, 36412, 36422, 36423, 38412, 38422, 38462, 38472,
)  # fmt: skip
"""M3UA, H.248, Diameter, SIP, S1AP, X2AP, NGAP and their kin."""

WELL_KNOWN = {
    TCP: frozenset((*_BOTH, *_TCP_ONLY)),
    UDP: frozenset((*_BOTH, *_UDP_ONLY)),
    SCTP: frozenset(_SCTP),
}
"""Protocol → ports."""

SILENT_UDP = frozenset({9, 138, 162, 514, 2055, 2056, 4739, 6343, 6514, 8125, 9995, 9996, 12201})
"""UDP services that never answer: WoL, NetBIOS datagrams, traps, syslog, flow export, statsd, GELF."""


def port_mask(ports: Iterable[int]) -> NDArray[np.bool_]:
    """A look-up table of 65536 truth values."""
    mask = np.zeros(65536, np.bool_)
    mask[list(ports)] = True
    return mask


def hint_masks(hints: Sequence[ServiceRange]) -> dict[int, NDArray[np.bool_]]:
    """Protocol → look-up table of the user's service ports. Ranges over all ports say nothing."""
    masks = {protocol: np.zeros(65536, np.bool_) for protocol in (TCP, UDP, SCTP)}
    for hint in hints:
        if (
            hint.protocol in masks
            and hint.protocol != ANY_PROTOCOL
            and hint.last - hint.first < 60000
        ):
            masks[hint.protocol][hint.first : hint.last + 1] = True
    return masks
