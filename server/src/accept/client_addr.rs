//! Who a request comes from.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;
use verbatim_http::ClientAddr;

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// How many hops are followed back.
const MAX_HOPS: usize = 32;

impl TrustedProxies {
    /// Trusts these networks.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Follows `X-Forwarded-For` from its end (the hop nearest to this server) for as long as the
    /// one who said it is trusted. What cannot be read ends the walk.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for");
        let mut hops = lines
            .iter()
            .rev()
            .map(|line| line.to_str().unwrap_or_default())
            .flat_map(|line| line.rsplit(','))
            .take(MAX_HOPS);
        while self.trusts(client) {
            match hops.next().and_then(hop) {
                Some(address) => client = address.to_canonical(),
                None => break,
            }
        }
        ClientAddr(client)
    }
}

/// An address, with or without a port and brackets.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let ClientAddr(address) =
            TrustedProxies::new(&networks).client(peer.parse().unwrap(), &headers);
        address.to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(client(&[], "10.0.0.1", &["1.1.1.1"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "11.0.0.1", &["1.1.1.1"]), "11.0.0.1");
    }

    #[test]
    fn the_walk_ends_at_the_first_stranger() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(client(trusted, "10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.0.0.1", &["6.6.6.6, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.0.0.1", &["6.6.6.6", "1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(client(trusted, "::ffff:10.0.0.1", &["1.1.1.1:443"]), "1.1.1.1");
        assert_eq!(client(trusted, "fd00::1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client(trusted, "fd00::1", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk() {
        let trusted = &["10.0.0.0/8"];
        for line in ["", ",", "unknown", "1.1.1.1, x", "999.1.1.1"] {
            assert_eq!(client(trusted, "10.0.0.1", &[line]), "10.0.0.1", "{line}");
        }
        assert_eq!(client(trusted, "10.0.0.1", &[]), "10.0.0.1");
        let many = vec!["10.0.0.2"; 100].join(",");
        assert_eq!(client(trusted, "10.0.0.1", &[&many]), "10.0.0.2");
    }
}
