"""Server ports that an engineer recognises: the `well-known` evidence for a flow's direction.

A port is listed when services are commonly found listening there. Above 1023 every entry is a
deliberate choice; above 32767, where systems pick their client ports, it is a rare one.
Sources: the IANA service name and port number registry; the vendors' port references.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import SCTP, TCP, UDP, ServiceRange

_BOTH = """
    7 9 13 17 19 37                                 echo and the other small services
    53 853 5353 5355                                DNS, DNS over TLS, mDNS, LLMNR
    88 464 749 750 389 636 3268 3269 111 135        Kerberos, LDAP, global catalog, portmapper, RPC
    137 138 139 445 2049 548                        NetBIOS, SMB, NFS, AFP
    123 161 162 623 500 4500 1194 1701 51820        NTP, SNMP, IPMI, IKE, OpenVPN, L2TP, WireGuard
    443 554 5060 5061 3478 3479 5349 1719 427 177   HTTPS and QUIC, RTSP, SIP, STUN, H.323, XDMCP
    514 1812 1813 1645 1646 1900 3702 5357 11211    syslog, RADIUS, SSDP, WS-Discovery, memcached
    3389 1434 902 5683 5684 10161 10162             RDP, SQL browser, ESX, CoAP, SNMP over TLS
    2222 44818 4840 20000 47808 34962-34964         EtherNet/IP, OPC UA, DNP3, BACnet, PROFINET
    5094 9600 4712 4713 1089-1091                   HART-IP, FINS, C37.118, Foundation Fieldbus
    861 862 7946 8301 8302 8600 12201               TWAMP, swarm, Consul, GELF
"""
_TCP = """
    21 989 990 22 23 992 2022                       FTP, SSH, telnet
    25 465 587 2525 109 110 995 143 993 119 563     mail and news
    43 49 70 79 113 80 81 591 8008 8080 8443        whois, TACACS+, gopher, finger, ident, HTTP
    82-89 280 8000-8010 8014 8020 8042 8060 8069    HTTP on other ports, Proxmox, AJP, Hadoop
    8081-8099 8100 8111 8118 8123 8140 8161 8180    HTTP again, InfluxDB, Splunk, ClickHouse, Puppet
    8181 8200 8201 8222 8280 8300 8333 8383 8400    Vault, Consul
    8444 8445 8500-8503 8529-8531 8554 8649 8686    Consul, ArangoDB, WSUS, RTSP
    8728 8729 8800 8834 8843 8880 8883 8888 8889    MikroTik, Nessus, MQTT over TLS
    3000 3001 3100 4000 4200 5000 5001 5601 7001    Grafana, Loki, registries, Kibana, WebLogic
    7002 7070 7080 7443 7777 9000-9003 9009 9043    HTTP consoles, ClickHouse, WebSphere
    9060 9080 9090-9095 9100-9105 9113 9115 9121    Prometheus, Kafka, printers, Bacula, exporters
    9153 9187 9200 9201 9216 9300 9389 9418 9443    CoreDNS, Elasticsearch, AD web services, git
    9981 9998-10001 10443 18080 28080 4443 4444     HTTPS on other ports, Metasploit
    102 502 503 802 1911 4911 1962 2404 2455 5007   S7 and MMS, Modbus, Fox, IEC 104, MELSEC
    5450 5457-5459 11740 17185 18245 18246 19999    PI, CODESYS, VxWorks, GE SRTP, DNP3 over TLS
    20256 20547 1883 5671 5672 61613 61616          PCOM, ProConOS, MQTT, AMQP, STOMP, ActiveMQ
    179 639 646 830 843 860 3260 873 888 2000       BGP, MSDP, LDP, NETCONF, iSCSI, rsync, SCCP
    512 513 515 543 544 593 631 901 903 953 1010    r-commands, LPD, IPP, VMware, rndc
    1080 1099 1352 1414 1494 2598 1720 1723 1801    SOCKS, RMI, Notes, MQ, Citrix, H.323, PPTP, MSMQ
    2103 2105 2107 2179 3128 3299 3300 3310 3632    MSMQ, Hyper-V, Squid, SAP router, clamd
    1433 1521 1522 1526 1583 1830 2483 2484 2638    SQL Server, Oracle, Sybase
    3050 3306 33060 5432 5433 6432 50000 5984       Firebird, MySQL, PostgreSQL, DB2, CouchDB
    6379 6380 16379 26379 7000 7199 9042 9160       Redis, Cassandra
    7473 7474 7687 26257 27017-27019 28015 28017    Neo4j, CockroachDB, MongoDB, RethinkDB
    2181 2888 3888 2375-2377 2379-2383 4001         ZooKeeper, Docker, etcd, Analysis Services
    4369 25672 15671 15672 15692 4505 4506 4567     Erlang, RabbitMQ, Salt, Galera
    4646-4648 5044 5045 5140 5141 6514 1514 1515    Nomad, Beats, syslog over TLS, Wazuh
    5222 5223 5269 5280 6667 6697 1935 3690 3868    XMPP, IRC, RTMP, Subversion, Diameter
    5473 5480 5696 5722 5723 5040 7680 47001        Calico, vCenter, KMIP, DFSR, SCOM, Windows
    5500 5631 5800-5803 5900-5905 5938 4899 6129    VNC, pcAnywhere, TeamViewer, Radmin, DameWare
    5985 5986 6000-6005 7100                        WinRM, X11
    5666 5667 5693 4949 6556 10050 10051 12489      NRPE, munin, Checkmk, Zabbix, NSClient
    6101 6106 6160-6164 9392 9393 9401 9419 10002   Backup Exec, Veeam
    10006 13722 13724 13782 1556 8027 3181 10000    NetBackup, BMC, Webmin, NDMP
    2701 2702 10123 6789 3351 1972 6881 1911        SCCM, Ceph, Pervasive, Caché, BitTorrent
    6443 6444 10248-10250 10255-10259 6783 9099     Kubernetes API, kubelet, control plane
    15000 15001 15006 15008 15010 15012 15014 15017 Istio
    15020 15021 15090 14250 14268 16686 4317 4318   Istio, Jaeger, OpenTelemetry
    50051 50052 20880 16509 16514 16992 16993       gRPC, Dubbo, libvirt, Intel AMT
    3200-3209 3600-3605 50013 50014 1128 1129       SAP
    50010 50020 50070 50075 19888 7077 4040         Hadoop, Spark
    24007 24008 32400 32764 37777 34567 29418       Gluster, Plex, cameras, Gerrit
    104 11112 2575 2761 2762                        DICOM, HL7
"""
_UDP = """
    67 69 319 320 434 512 513 518 520 521 525       DHCP, TFTP, PTP, mobile IP, RIP, timed
    547 664 192 1604 1967 5351 5093                 DHCPv6, RMCP, Citrix, SLA, NAT-PMP
    2055 2056 4729 4739 6343 9995 9996 8125 6514    NetFlow, IPFIX, sFlow, statsd
    2123 2152 8805 3544 4789 4790 6081 6635 8472    GTP, PFCP, Teredo, VXLAN, GENEVE, MPLS, flannel
    3784 3785 4784 5246 5247 1985 2427 2727 5004    BFD, CAPWAP, HSRP, MGCP, RTP
    5005 5404 5405 694 41641 10001 3222 6784        corosync, heartbeat, Tailscale, UniFi, GLBP
    11753 7400-7403 27015 19132 18514 2221          DDS and games
"""
_SCTP = """
    2904 2905 2944 2945 3565 3868 5060 5061 5868    M3UA, H.248, M2PA, Diameter, SIP
    9899-9902 14001 29118 29168 29169 36412 36422   SUA, SGsAP, S1AP, X2AP
    36423 36443 36444 38412 38422 38462 38472       NGAP, XnAP, E1AP, F1AP
"""
_SILENT = """
    9 138 162 514 2055 2056 4739 6343 6514 8125     wake-on-LAN, NetBIOS datagrams, traps, syslog
    9995 9996 12201 5140 25826 6831 6832 37008      flow export, GELF, collectd, Jaeger, TZSP
    4789 4790 6081 6635 8472 4341                   tunnels: the way back has ports of its own
    3784 4784 6784 319 320                          BFD and PTP: each end sends to the other's port
"""


def _ports(*tables: str) -> frozenset[int]:
    """The numbers and ranges at the beginning of each line."""
    ports: set[int] = set()
    for line in "\n".join(tables).splitlines():
        for word in line.split():
            if not word[0].isdigit():
                break
            first, _, last = word.partition("-")
            ports.update(range(int(first), int(last or first) + 1))
    return frozenset(ports)


SILENT_UDP = _ports(_SILENT)
"""UDP services that never answer on the ports they are asked on."""
WELL_KNOWN = {
    TCP: _ports(_BOTH, _TCP),
    UDP: _ports(_BOTH, _UDP) | SILENT_UDP,
    SCTP: _ports(_SCTP),
}
"""Protocol → ports."""
CALLING = {TCP: frozenset({20})}
"""Protocol → ports that open connections: an FTP server's data connection (RFC 959 section 3.2)."""
CLIENT_PORTS = 32768
"""Where today's systems begin to pick client ports: Linux here, all others at 49152 (RFC 6335)."""
RANKS = np.repeat(np.array([0, 1, 3, 2, 3], np.uint8), (512, 512, 3977, 27767, 32768))
"""Port → rank; of two listed ports the lower rank serves. Clients are given ports from 512 by NFS
and the r-commands, 1024 to 5000 by older systems (Windows until 2003, BSD) and from CLIENT_PORTS
by all others."""
RANKS[2049] = 0  # NFS, whose clients have ports below 1024


def port_mask(ports: Iterable[int]) -> NDArray[np.bool_]:
    """A look-up table of 65536 truth values."""
    mask = np.zeros(65536, np.bool_)
    mask[list(ports)] = True
    return mask


def hint_masks(hints: Sequence[ServiceRange]) -> dict[int, NDArray[np.bool_]]:
    """Protocol → look-up table of the user's service ports. All ports tell no side apart."""
    masks = {protocol: np.zeros(65536, np.bool_) for protocol in (TCP, UDP, SCTP)}
    for hint in hints:
        if hint.protocol in masks and (hint.first, hint.last) != (0, 65535):
            masks[hint.protocol][hint.first : hint.last + 1] = True
    return masks
