//! Which names the page goes by, and whether a page of another origin asks. Pure.
//!
//! A name that leads a browser here may be anybody's (DNS rebinding), so only names that are known are answered;
//! an address cannot be rebound.

use std::net::IpAddr;

/// Whether the value of `Host` is an address, `localhost`, or one of the known names.
pub(super) fn is_known(host: &str, known: &[String]) -> bool {
    let name = without_port(host);
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a page comes from the address that it asks.
pub(super) fn is_own(origin: &str, host: &str) -> bool {
    let address = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    address.is_some_and(|address| address.eq_ignore_ascii_case(host))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_known_names_are_answered() {
        let known = ["admin.example.org".to_owned()];
        for good in [
            "127.0.0.1",
            "127.0.0.1:9998",
            "[::1]:9998",
            "[::1]",
            "localhost:1",
            "Admin.Example.org:443",
            "10.0.0.7",
        ] {
            assert!(is_known(good, &known), "{good}");
        }
        for bad in [
            "127.evil.com",
            "evil.com:9998",
            "127.0.0.1.evil.com",
            "",
            "localhost.evil.com",
            "admin.example.org.evil",
        ] {
            assert!(!is_known(bad, &known), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_own_only_if_it_is_the_same_to_the_port() {
        assert!(is_own("http://127.0.0.1:9998", "127.0.0.1:9998"));
        assert!(is_own("https://admin.example.org", "admin.example.org"));
        for bad in [
            "http://127.0.0.1:9997",
            "null",
            "",
            "http://127.0.0.1:9998.evil.com",
            "ftp://127.0.0.1:9998",
        ] {
            assert!(!is_own(bad, "127.0.0.1:9998"), "{bad}");
        }
    }
}
