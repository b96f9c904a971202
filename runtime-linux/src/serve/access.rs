//! Who may come in.
//!
//! On loopback, whoever is on this machine; beyond it, whoever has the token. A browser must not be talked into it by a foreign page:
//! - a page whose name was made to lead here (DNS rebinding) sends its own name as `Host`, which is none of loopback's;
//! - a page that posts to us sends its own `Origin`;
//! - a page that has no token has no cookie of ours either.
//!
//! The token comes as `Authorization: Bearer`, or once as `?token=` in the page's address, which is answered with a cookie and the address
//! without it. It goes over the network in the clear, as everything does: put a reverse proxy with TLS in front where others listen.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE, UPGRADE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::refusal::Refusal;
use crate::error::{Error, Result};

/// The shortest token that may be chosen.
const SHORTEST: usize = 12;
/// How long who guesses wrongly has to wait.
const PENANCE: Duration = Duration::from_millis(300);

/// What opens the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// This.
    Given(String),
    /// One that is made up at the start, and printed.
    Auto,
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match text {
            "auto" => Ok(Token::Auto),
            _ if text.len() >= SHORTEST && text.chars().all(plain) => Ok(Token::Given(text.into())),
            _ => Err(format!("expected auto, or at least {SHORTEST} letters, digits, - and _")),
        }
    }
}

/// The door.
#[derive(Debug)]
pub struct Access {
    token: Option<String>,
    cookie: String,
}

/// What is to be done with a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Enter,
    /// The token was in the address: keep it in a cookie, and go to the address without it.
    Remember,
    /// Not with this token, nor without one.
    Stranger,
    Refuse(StatusCode, &'static str),
}

impl Access {
    /// The door of a server at `address`.
    ///
    /// # Errors
    /// [`Error::Usage`] when it is open to the network and has no token; or when the system gives no random numbers.
    pub fn new(address: SocketAddr, token: Option<Token>) -> Result<Self> {
        let token = match token {
            Some(Token::Given(token)) => Some(token),
            Some(Token::Auto) => Some(made_up()?),
            None if address.ip().is_loopback() => None,
            None => {
                return Err(Error::usage(format!(
                    "--listen {address} lets the network in; add --token auto, or --token with one of your own"
                )));
            }
        };
        // Cookies are by host, not by port.
        Ok(Access { token, cookie: format!("microtome-{}", address.port()) })
    }

    /// The token, if one is needed.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        use Verdict::{Enter, Refuse, Remember, Stranger};
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(host) = text(HOST) else { return Refuse(StatusCode::BAD_REQUEST, "the request names no host") };
        let may_change = !matches!(*method, Method::GET | Method::HEAD) || headers.contains_key(UPGRADE);
        if may_change && headers.contains_key(ORIGIN) && !text(ORIGIN).is_some_and(|origin| is_of(origin, host)) {
            return Refuse(StatusCode::FORBIDDEN, "the request comes from another site's page");
        }
        let Some(token) = &self.token else {
            return if is_loopback(host) {
                Enter
            } else {
                Refuse(StatusCode::FORBIDDEN, "the request is for another host; expected localhost or 127.0.0.1")
            };
        };
        let same = |other: &str| bool::from(other.as_bytes().ct_eq(token.as_bytes()));
        let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|value| value.split("; ")).filter_map(|cookie| cookie.split_once('='));
        if bearer.is_some_and(same) || cookies.any(|(name, value)| name == self.cookie && same(value)) {
            return Enter;
        }
        let query = uri.query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("token=")));
        if query.is_some_and(same) && uri.path() == "/" && method == Method::GET { Remember } else { Stranger }
    }

    fn remember(&self) -> Response {
        let token = self.token.as_deref().unwrap_or_default();
        // Lax: a link in a message may lead here. What changes anything asks for the origin.
        let cookie = format!("{}={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", self.cookie);
        (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/".into())]).into_response()
    }
}

/// Lets requests in, or not.
pub async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.judge(request.method(), request.uri(), request.headers()) {
        Verdict::Enter => next.run(request).await,
        Verdict::Remember => access.remember(),
        Verdict::Refuse(status, text) => Refusal::new(status, text).into_response(),
        Verdict::Stranger => {
            tokio::time::sleep(PENANCE).await;
            let text =
                "a token is needed: open the address that `microtome serve` printed, or send Authorization: Bearer";
            Refusal::new(StatusCode::UNAUTHORIZED, text).into_response()
        }
    }
}

/// 128 random bits.
fn made_up() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::usage(format!("--token auto: no random numbers: {e}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether a page of `origin` was served by `host`.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = Authority::from_str(host) else { return false };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use axum::http::HeaderName;

    use super::Verdict::{Enter, Remember, Stranger};
    use super::*;

    const TOKEN: &str = "abcdefghijkl";

    fn door(token: Option<&str>) -> Access {
        let token = token.map(|token| token.parse().unwrap());
        Access::new("127.0.0.1:8080".parse().unwrap(), token).unwrap()
    }

    fn judge(access: &Access, method: Method, uri: &str, headers: &[(HeaderName, &str)]) -> Verdict {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        access.judge(&method, &uri.parse().unwrap(), &headers)
    }

    fn is_refused(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Refuse(..))
    }

    #[test]
    fn the_network_needs_a_token() {
        let open = "0.0.0.0:80".parse().unwrap();
        assert!(Access::new(open, None).unwrap_err().to_string().contains("--token auto"));
        let [one, other] = [0; 2].map(|_| Access::new(open, Some(Token::Auto)).unwrap().token.unwrap());
        assert!(one.len() == 32 && one != other);
        for bad in ["", "short", "with space in it", "a;bcdefghijklm", "ümlautümlaut"] {
            assert!(bad.parse::<Token>().is_err(), "{bad}");
        }
    }

    #[test]
    fn on_loopback_only_its_own_names_are_served() {
        let door = door(None);
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "127.1.2.3"] {
            assert_eq!(judge(&door, Method::GET, "/", &[(HOST, host)]), Enter, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "192.168.0.4", "", "a b", "127.0.0.1.nip.io"] {
            assert!(is_refused(judge(&door, Method::GET, "/", &[(HOST, host)])), "{host}");
        }
        assert!(is_refused(judge(&door, Method::GET, "/", &[])));
    }

    #[test]
    fn foreign_pages_change_nothing_and_watch_nothing() {
        let door = door(None);
        let host = (HOST, "localhost:8080");
        for origin in ["http://evil.example", "null", "http://localhost:9999", "http://localhost:8080.evil.example"] {
            let headers = [host.clone(), (ORIGIN, origin)];
            assert!(is_refused(judge(&door, Method::PUT, "/api/model", &headers)), "{origin}");
            let upgrade = [&headers[..], &[(UPGRADE, "websocket")]].concat();
            assert!(is_refused(judge(&door, Method::GET, "/api/stream", &upgrade)), "{origin}");
        }
        let own = [host.clone(), (ORIGIN, "http://localhost:8080")];
        assert_eq!(judge(&door, Method::PUT, "/api/model", &own), Enter);
        assert_eq!(judge(&door, Method::PUT, "/api/model", &[host]), Enter);
    }

    #[test]
    fn a_token_opens_by_header_cookie_or_address() {
        let door = door(Some(TOKEN));
        let host = (HOST, "microscope.local:8080");
        let with = |name, value| judge(&door, Method::GET, "/api/status", &[host.clone(), (name, value)]);
        assert_eq!(with(AUTHORIZATION, "Bearer abcdefghijkl"), Enter);
        assert_eq!(with(COOKIE, "other=1; microtome-8080=abcdefghijkl"), Enter);
        for (name, value) in [
            (AUTHORIZATION, "Bearer abcdefghijkm"),
            (AUTHORIZATION, "abcdefghijkl"),
            (COOKIE, "microtome-8081=abcdefghijkl"),
            (COOKIE, "microtome-8080="),
        ] {
            assert_eq!(with(name, value), Stranger, "{value}");
        }
        assert_eq!(judge(&door, Method::GET, "/?token=abcdefghijkl", from_ref(&host)), Remember);
        assert_eq!(judge(&door, Method::GET, "/?x=1&token=abcdefghijk", from_ref(&host)), Stranger);
        assert_eq!(judge(&door, Method::PUT, "/api/led?token=abcdefghijkl", &[host]), Stranger);
    }
}
