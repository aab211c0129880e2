"""NetworkPolicy: what the API server would refuse, what a policy means, what verify() catches."""

import textwrap

import pytest

from tests.strategies import table_of
from workbench.model.net import ICMP, SCTP, TCP, UDP, AddressSet, parse_address, parse_service
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.rendered import Verification
from workbench.model.site import Host, Inventory, Pod, labels_of
from workbench.model.traffic import Conversation
from workbench.policy import decide
from workbench.verify import verify
from workbench.verify.k8s import CannotRead, Cluster, read

HEAD = (
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: %s}\n"
)


def _policy(spec: str, name: str = "p", namespace: str = "shop") -> str:
    return (
        HEAD % (name, namespace)
        + "spec:\n"
        + textwrap.indent(textwrap.dedent(spec).rstrip(), "  ")
        + "\n"
    )


def _pod(at: int, namespace: str, **labels: str) -> Host:
    team = labels_of({"team": namespace[0]})
    pod = Pod(namespace, f"p{at}", labels_of(labels), team, (("http", TCP, 8080), ("dns", UDP, 53)))
    return Host(f"p{at}", (parse_address(f"10.42.0.{at}"),), (), pod)


HOSTS = (
    _pod(1, "shop", app="cart", tier="web"),
    _pod(2, "shop", app="db"),
    _pod(3, "ops", app="cart"),
    _pod(4, "ops", tier="web"),
)
OUTSIDE = "8.8.8.8"


def _allows(text: str, client: str, server: str, service: str) -> bool:
    cluster = Cluster.of(HOSTS, read(text))
    ends = [
        cluster.place(parse_address(end if "." in end else f"10.42.0.{end}"))
        for end in (client, server)
    ]
    asked = parse_service(service)
    return cluster.allows(*ends, asked.protocol, asked.first)


@pytest.mark.parametrize(
    ("spec", "open_to", "closed_to"),
    [
        ("podSelector: {}", [], ["2>1 tcp/80", "8.8.8.8>1 tcp/80", "4>2 udp/53"]),
        ("podSelector: {}\negress: []", ["1>8.8.8.8 tcp/80"], ["2>1 tcp/80"]),
        ("podSelector: {}\npolicyTypes: [Egress]", ["2>3 tcp/80", "3>1 tcp/1"][1:], ["1>2 tcp/80"]),
        ("ingress: [{}]", ["2>1 tcp/80", "8.8.8.8>1 sctp/9", "4>2 udp/53"], []),
        ("egress: [{}]", ["1>8.8.8.8 tcp/80"], ["2>1 tcp/80"]),
        ("podSelector: {matchLabels: {app: cart}}", ["1>2 tcp/80", "1>3 tcp/80"], ["2>1 tcp/80"]),
        (
            "ingress: [{from: [{podSelector: {matchLabels: {app: cart}}}]}]",
            ["1>2 tcp/80"],
            ["3>2 tcp/80", "8.8.8.8>2 tcp/80"],
        ),
        (
            "ingress: [{from: [{namespaceSelector: {}}]}]",
            ["3>2 tcp/80", "1>2 tcp/80"],
            ["8.8.8.8>2 tcp/80"],
        ),
        (
            "ingress: [{from: [{namespaceSelector: {matchLabels: {team: o}}, "
            "podSelector: {matchLabels: {app: cart}}}]}]",
            ["3>2 tcp/80"],
            ["1>2 tcp/80", "4>2 tcp/80"],
        ),
        (
            "ingress: [{from: [{namespaceSelector: {matchLabels: {team: o}}}, "
            "{podSelector: {matchLabels: {app: cart}}}]}]",
            ["3>2 tcp/80", "1>2 tcp/80", "4>2 tcp/80"],
            ["8.8.8.8>2 tcp/80"],
        ),
        (
            "ingress: [{from: [{namespaceSelector: "
            "{matchLabels: {kubernetes.io/metadata.name: ops}}}]}]",
            ["3>2 tcp/80"],
            ["1>2 tcp/80"],
        ),
        (
            "podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}",
            ["2>1 tcp/80"],
            ["1>2 tcp/80"],
        ),
        (
            "podSelector: {matchExpressions: [{key: tier, operator: Exists}]}",
            ["1>2 tcp/80"],
            ["2>1 tcp/80"],
        ),
        (
            "podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}",
            ["2>1 tcp/80"],
            ["1>2 tcp/80"],
        ),
        (
            "ingress: [{from: [{ipBlock: {cidr: 8.8.0.0/16, except: [8.8.9.0/24]}}]}]",
            ["8.8.8.8>2 tcp/80"],
            ["8.8.9.1>2 tcp/80", "8.9.0.0>2 tcp/80", "1>2 tcp/80"],
        ),
        ("ingress: [{ports: [{port: 80}]}]", ["1>2 tcp/80"], ["1>2 tcp/81", "1>2 udp/80"]),
        ("ingress: [{ports: [{protocol: UDP}]}]", ["1>2 udp/7"], ["1>2 tcp/7", "1>2 sctp/7"]),
        (
            "ingress: [{ports: [{port: 80, endPort: 90}]}]",
            ["1>2 tcp/80", "1>2 tcp/90"],
            ["1>2 tcp/79", "1>2 tcp/91"],
        ),
        ("ingress: [{ports: [{port: http}]}]", ["1>2 tcp/8080"], ["1>2 tcp/80", "1>2 udp/8080"]),
        (
            "policyTypes: [Egress]\negress: [{ports: [{port: dns, protocol: UDP}]}]",
            ["1>2 udp/53"],
            ["1>8.8.8.8 udp/53", "1>2 tcp/53"],
        ),
        ("ingress: [{from: [], ports: []}]", ["8.8.8.8>1 tcp/80"], []),
    ],
)
def test_what_a_policy_means(spec: str, open_to: list[str], closed_to: list[str]) -> None:
    text = _policy(spec)
    for expected, cases in ((True, open_to), (False, closed_to)):
        for case in cases:
            ends, service = case.split()
            assert _allows(text, *ends.split(">"), service) is expected, case


def test_a_namespace_always_has_its_own_name() -> None:
    """The API server sets this label; an inventory that says otherwise is wrong."""
    wrong = labels_of({"kubernetes.io/metadata.name": "ops"})
    text = _policy(
        "ingress: [{from: [{namespaceSelector: "
        "{matchLabels: {kubernetes.io/metadata.name: ops}}}]}]"
    )
    hosts = [
        Host(name, (parse_address(address),), (), Pod("shop", name, (), wrong))
        for name, address in (("a", "10.42.0.1"), ("b", "10.42.0.2"))
    ]
    cluster = Cluster.of(hosts, read(text))
    ends = [cluster.place(address) for address in cluster.pods]
    assert not cluster.allows(*ends, TCP, 80)


def test_policies_add_up_and_both_ends_must_agree() -> None:
    deny = _policy("podSelector: {}\npolicyTypes: [Ingress, Egress]", "deny")
    let_in = _policy("podSelector: {matchLabels: {app: db}}\ningress: [{ports: [{port: 1}]}]", "in")
    let_out = _policy("policyTypes: [Egress]\negress: [{ports: [{port: 1}]}]", "out")
    assert not _allows("---\n".join([deny, let_in]), "1", "2", "tcp/1")
    assert not _allows("---\n".join([deny, let_out]), "1", "2", "tcp/1")
    assert _allows("---\n".join([deny, let_in, let_out]), "1", "2", "tcp/1")
    assert not _allows("---\n".join([deny, let_in, let_out]), "2", "1", "tcp/1")


REFUSED = {
    "podSelectr: {}": "unknown field 'podSelectr'",
    "podSelector: {matchLabel: {a: b}}": "unknown field 'matchLabel'",
    "ingress: [{form: []}]": "unknown field 'form'",
    "ingress: [{from: [{podSelecto: {}}]}]": "unknown field 'podSelecto'",
    "ingress: [{from: [{}]}]": "a peer must say who",
    "ingress: [{to: []}]": "unknown field 'to'",
    "ingress: {from: []}": "expected a list",
    "ingress: [null]": "expected fields",
    "podSelector: []": "expected fields",
    "policyTypes: [ingress]": "are not Ingress and Egress",
    "policyTypes: [Egress]\ningress: [{}]": "rules for Ingress, which policyTypes leaves out",
    "ingress: [{ports: [{port: 80, protocol: FOO}]}]": "protocol 'FOO'",
    "ingress: [{ports: [{port: 80, protocol: ICMP}]}]": "protocol 'ICMP'",
    "ingress: [{ports: [{port: 90, endPort: 80}]}]": "endPort 80 is below port 90",
    "ingress: [{ports: [{endPort: 80}]}]": "None is no port",
    "ingress: [{ports: [{port: http, endPort: 80}]}]": "is no port name, or has an endPort",
    "ingress: [{ports: [{port: 0}]}]": "0 is no port",
    "ingress: [{ports: [{port: 65536}]}]": "65536 is no port",
    "ingress: [{ports: [{port: true}]}]": "True is no port",
    "ingress: [{ports: [{port: '80'}]}]": "'80' is no port name",
    "ingress: [{ports: [{port: a-name-too-long-}]}]": "is no port name",
    "ingress: [{ports: [{ports: 80}]}]": "unknown field 'ports'",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]": "excludes selectors",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]": "no prefix length",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]": "10.0.0.0/33",
    "ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}]": "IPv4-mapped prefix",
    "ingress: [{from: [{ipBlock: {}}]}]": "None is not a proper text",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]": "strictly inside",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]": "strictly inside",
    "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/8']}}]}]": "strictly inside",
    "podSelector: {matchLabels: {a: 1}}": "1 is not a proper text",
    "podSelector: {matchLabels: {a: x, a: y}}": "'a' is no name, or is there twice",
    "podSelector: {matchExpressions: [{key: a, operator: in, values: [b]}]}": "operator 'in'",
    "podSelector: {matchExpressions: [{key: a, operator: In}]}": "In with values []",
    "podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}": "Exists with",
    "podSelector: {matchExpressions: [{operator: Exists}]}": "None is not a proper text",
    "podSelector: {matchLabels: {'a b': c}}": "'a b' is not a proper text",
    "podSelector: *nobody": "undefined alias",
    "ingress: &i [{from: *i}]": "line 5: aliases are not read",
    "ingress: [{ports: [{protocol: [TCP]}]}]": "['TCP'] is not a proper text",
    "spec: !!python/object/apply:os.getcwd []": "could not determine a constructor",
}


@pytest.mark.parametrize("spec", REFUSED)
def test_what_the_api_server_would_refuse(spec: str) -> None:
    with pytest.raises(CannotRead) as caught:
        read(_policy(spec))
    assert REFUSED[spec] in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: Pod\napiVersion: v1\n", "not a networking.k8s.io/v1 NetworkPolicy"),
        (_policy("podSelector: {}").replace("/v1", "/v1beta1"), "not a networking.k8s.io/v1"),
        (_policy("podSelector: {}").replace("spec:", "spce:"), "unknown field 'spce'"),
        (_policy("podSelector: {}").replace("name: p", "name: P_"), "'P_' is not a proper text"),
        (_policy("podSelector: {}").replace(", namespace: shop", ""), "'' is not a proper text"),
        (_policy("a: b") + "---\n" + _policy("a: b"), "unknown field 'a'"),
        (_policy("ingress: []") + "---\n" + _policy("egress: []"), "shop/p is there twice"),
        ("[" * 2000, "recursion"),
        ("a: b: c\n", "line 1: mapping values are not allowed here"),
    ],
    ids=range(9),
)
def test_files_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(CannotRead) as caught:
        read(text)
    assert problem in str(caught.value)


def test_numbers_are_those_of_yaml_1_2() -> None:
    """YAML 1.1 takes `1:30` for 90, which no cluster would."""
    spec = "ingress: [{ports: [{protocol: TCP, port: PORT}]}]"
    for plain in ("8e1", "1e0", "08e1", "80.0"):
        with pytest.raises(CannotRead, match="is no port from"):
            read(_policy(spec.replace("PORT", plain)))
    for plain in ("y", "N", "1e3", "12e45678", "089", "0o17"):
        with pytest.raises(CannotRead, match=r"is not a proper text|invalid literal"):
            read(_policy(f"podSelector: {{matchLabels: {{app: {plain}}}}}"))
    read(_policy("podSelector: {matchLabels: {app: 'y', rev: '12e45', v: 1.2.3, w: 1e3f}}"))
    [allowed] = read(_policy(spec.replace("PORT", "90")))[0].ingress or ()
    assert [(one.first, one.last) for one in allowed.ports or ()] == [(90, 90)]
    with pytest.raises(CannotRead, match=r"1:30"):
        read(_policy(spec.replace("PORT", "1:30")))


@pytest.mark.parametrize(
    "between",
    ["--- {}\n", "--- !!map\n", "...\n", "...\n---\n", "%YAML 1.1\n---\n", "# a\u2028---\u2028",
     "# a\r---\r", "# a\x85---\x85"],
)  # fmt: skip
def test_documents_that_kubectl_would_not_see_are_refused(between: str) -> None:
    """Its reader cuts at lines of `---`, the parser then reads one document and ends."""
    text = _policy("ingress: [{}]", "a") + between + _policy("podSelector: {}", "b")
    with pytest.raises(CannotRead, match="line 6: kubectl would not read what follows"):
        read(text)


def test_documents_that_kubectl_sees_are_read() -> None:
    both = _policy("ingress: [{}]", "a") + "---  # next\r\n" + _policy("podSelector: {}", "b")
    assert [policy.name for policy in read("--- \n" + both)] == ["a", "b"]


def test_an_object_that_kubectl_cannot_apply_is_refused() -> None:
    blocks = ", ".join(f"10.{a}.{b}.0/24" for a in range(90) for b in range(256))
    spec = f"ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8, except: [{blocks}]}}}}]}}]"
    with pytest.raises(CannotRead, match="bytes are more than kubectl apply takes"):
        read(_policy(spec))


def test_lists_and_what_kubectl_adds_are_read() -> None:
    item = textwrap.indent(_policy("podSelector: {}").replace("{name: p", "{uid: x, name: p"), "  ")
    text = f"apiVersion: v1\nkind: List\nitems:\n-{item[1:]}"
    assert [policy.name for policy in read(text)] == ["p"]
    assert read("---\n---\n# nothing\n") == ()


# verify() on hand-written objects

CART = AddressSet.of_cidrs(["10.42.0.1"])
DB = AddressSet.of_cidrs(["10.42.0.2"])
WORLD = AddressSet.of_cidrs(["8.8.0.0/16"])


def _rule(name: str, clients: AddressSet, servers: AddressSet, *services: str) -> ResolvedRule:
    return ResolvedRule(name, clients, servers, tuple(map(parse_service, services)))


POLICY = ResolvedPolicy(
    "by-hand",
    (("cart", CART), ("db", DB), ("world", WORLD)),
    protected_ingress=CART | DB,
    protected_egress=DB,
    rules=(_rule("world-cart", WORLD, CART, "tcp/8080"), _rule("cart-db", CART, DB, "tcp/5432")),
)
RIGHT = "---\n".join(
    [
        _policy("podSelector: {}\npolicyTypes: [Ingress]", "deny"),
        _policy("podSelector: {matchLabels: {app: db}}\npolicyTypes: [Egress]", "db-out"),
        _policy(
            """\
            podSelector: {matchLabels: {app: cart}}
            policyTypes: [Ingress]
            ingress: [{from: [{ipBlock: {cidr: 8.8.0.0/16}}], ports: [{port: 8080}]}]
            """,
            "cart",
        ),
        _policy(
            """\
            podSelector: {matchLabels: {app: db}}
            policyTypes: [Ingress]
            ingress:
            - from: [{podSelector: {matchLabels: {app: cart}}}]
              ports: [{protocol: TCP, port: 5432}]
            """,
            "db",
        ),
    ]
)


def _verify(text: str, hosts: tuple[Host, ...] = HOSTS) -> Verification:
    seen = [
        ("8.8.8.8", "10.42.0.1", TCP, 8080),
        ("10.42.0.1", "10.42.0.2", TCP, 5432),
        ("10.42.0.3", "10.42.0.2", TCP, 5432),
        ("10.1.0.1", "10.1.0.2", TCP, 22),
        ("10.42.0.1", "10.42.0.2", ICMP, 8),
        ("10.42.0.1", "10.42.0.1", SCTP, 8),
        ("10.42.0.1", "224.0.0.1", UDP, 8),
    ]
    table = table_of(
        [Conversation(parse_address(a), parse_address(b), *service) for a, b, *service in seen]
    )
    files = {"policies.yaml": text, "README.md": "read me"}
    return verify("kubernetes", files, POLICY, table, Inventory(hosts), decide)


def test_a_right_file_is_proven() -> None:
    found = _verify(RIGHT)
    assert found.mismatches == ()
    assert found.proven
    assert (found.judged, found.skipped) == (4, 3)
    assert found.probes > 50
    undefined = next(check for check in found.checks if check.state == "not checked")
    assert undefined.detail == "2 conversations: ICMP and the like, or within one pod"


MISTAKES = {
    "a port is wrong": ("port: 5432", "port: 5433"),
    "a port is missing": ("    ports: [{protocol: TCP, port: 5432}]\n", ""),
    "the protocol is wrong": ("protocol: TCP, port: 5432", "protocol: UDP, port: 5432"),
    "the protocol is not said": ("protocol: TCP, port: 5432", "protocol: TCP"),
    "the port is a range": ("port: 5432", "port: 5432, endPort: 5433"),
    "a block is widened": ("8.8.0.0/16", "8.0.0.0/8"),
    "a block is narrowed": ("8.8.0.0/16", "8.8.0.0/17"),
    "a block has a hole": ("cidr: 8.8.0.0/16", "cidr: 8.8.0.0/16, except: [8.8.0.0/32]"),
    "the world may talk to the database": ("from: [{podSelector", "from: [{ipBlock: "
        "{cidr: 0.0.0.0/0}}, {podSelector"),
    "AND became OR": ("{podSelector: {matchLabels: {app: cart}}}", "{podSelector: {matchLabels: "
        "{app: cart}}}, {namespaceSelector: {}}"),
    "the selector takes all": ("from: [{podSelector: {matchLabels: {app: cart}}}]",
        "from: [{podSelector: {}}, {namespaceSelector: {}}]"),
    "the namespace is wrong": ("name: db, namespace: shop", "name: db, namespace: ops"),
    "the direction is wrong": ("{app: db}}\n  policyTypes: [Egress]", "{app: db}}\n  "
        "policyTypes: [Ingress]"),
    "egress is not denied": ("{app: db}}\n  policyTypes: [E", "{app: dc}}\n  policyTypes: [E"),
    "everybody is allowed": ("policyTypes: [Ingress]\n", "ingress: [{}]\n"),
    "a block nobody speaks of gets in": ("{cidr: 8.8.0.0/16}}", "{cidr: 8.8.0.0/16}}, "
        "{ipBlock: {cidr: 172.16.9.0/24}}"),
    "a port nobody speaks of is opened": ("[{port: 8080}]", "[{port: 8080}, {port: 31337}]"),
    "a range nobody speaks of is opened": ("[{port: 8080}]",
        "[{port: 8080}, {protocol: SCTP, port: 20000, endPort: 20010}]"),
    "a name means another port": ("[{port: 8080}]", "[{port: 8080}, {protocol: UDP, port: dns}]"),
    "a policy more": ("---\n", "---\n" + _policy(
        "ingress: [{from: [{ipBlock: {cidr: 172.16.9.9/32}}], ports: [{port: 31337}]}]", "more")
        + "---\n"),
    "a block means pods on some networks": ("{cidr: 8.8.0.0/16}}", "{cidr: 8.8.0.0/16}}, "
        "{ipBlock: {cidr: 10.42.0.3/32}}"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_reported(mistake: str) -> None:
    right, wrong = MISTAKES[mistake]
    assert right in RIGHT
    found = _verify(RIGHT.replace(right, wrong, 1))
    assert found.mismatches, mistake
    assert not found.proven


@pytest.mark.parametrize(
    "wrong",
    [
        "{podSelector: {matchExpressions: [{key: app, operator: In, values: [cart, odd-77]}]}}",
        "{podSelector: {matchLabels: {app: cart}}}, {namespaceSelector: {matchLabels: {team: z}}}",
        "{podSelector: {matchLabels: {app: cart}}}, {ipBlock: {cidr: 10.42.1.77/32}}",
    ],
)
def test_one_pod_more_among_many_is_reported(wrong: str) -> None:
    crowd = [
        Host(
            f"p{at}",
            (parse_address(f"10.42.1.{at}"),),
            (),
            Pod("zoo" if at == 99 else "park", f"p{at}", labels_of({"app": f"odd-{at}"}), team),
        )
        for at in range(120)
        for team in [labels_of({"team": "z" if at == 99 else "s"})]
    ]
    right = "{podSelector: {matchLabels: {app: cart}}}"
    assert _verify(RIGHT, (*HOSTS, *crowd)).proven
    wrong = wrong.replace("{podSelector: {matchE", "{namespaceSelector: {}, podSelector: {matchE")
    found = _verify(RIGHT.replace(f"from: [{right}]", f"from: [{wrong}]"), (*HOSTS, *crowd))
    assert found.mismatches and not found.proven


@pytest.mark.parametrize(
    "peer",
    [
        "{namespaceSelector: {}, podSelector: {matchLabels: {app: cart, tier: web}}}",
        "{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [o]}]},"
        " podSelector: {matchLabels: {app: cart}}}",
    ],
)
def test_pods_of_namespaces_that_nobody_listed_are_no_peers(peer: str) -> None:
    """Among the known pods it means the same; whoever makes a namespace gets in, too."""
    found = _verify(RIGHT.replace("{podSelector: {matchLabels: {app: cart}}}", peer))
    assert not found.mismatches
    check = next(check for check in found.checks if check.state == "failed")
    assert check.detail == "shop/db means pods of every namespace"
    assert not found.proven


def test_an_unknown_field_proves_nothing() -> None:
    found = _verify(RIGHT.replace("ports: [{protocol", "port: [{protocol"))
    assert (found.judged, found.probes, found.proven) == (0, 0, False)
    assert found.checks[0].detail == "policies.yaml: shop/db.ingress[0]: unknown field 'port'"


def test_what_is_protected_must_be_a_pod() -> None:
    found = _verify(RIGHT, HOSTS[:1])
    assert {item.found for item in found.mismatches} >= {"accept: neither end is a pod"}


def test_an_address_of_several_pods_is_a_node() -> None:
    twice = (*HOSTS, Host("also", HOSTS[1].addresses, (), HOSTS[1].pod))
    found = _verify(RIGHT, twice)
    observed = {item.conversation: item.found for item in found.mismatches if not item.probe}
    assert observed == {"10.42.0.3 → 10.42.0.2 tcp/5432": "accept"}


def test_one_object_in_two_files_is_refused() -> None:
    files = {"a.yaml": RIGHT, "b.yaml": RIGHT}
    found = verify("kubernetes", files, POLICY, table_of([]), Inventory(HOSTS), decide)
    assert "is in another file, too" in found.checks[0].detail
