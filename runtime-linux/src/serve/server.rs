//! Connections: a bounded number of them, none for longer than it takes, and an end that leaves nothing half done.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{interval, sleep, timeout};

use super::access::{Access, Token};
use super::api::router;
use super::publisher::publish;
use super::station::Station;
use crate::error::{Error, Result};

/// Most connections at a time; a browser opens six.
const CONNECTIONS: usize = 64;
/// Most time to send a request's head, and between two requests.
const HEAD: Duration = Duration::from_secs(10);
/// Most bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;
/// Most time for what has begun when the server stops.
const GRACE: Duration = Duration::from_secs(3);
/// Most time for a connection that is no stream, the longest download included: nobody keeps a place for ever.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often the wish to stop is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// Threads for connections: they only pass bytes on, and the pipeline needs the others.
const THREADS: usize = 2;

/// A server that has its port.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    access: Arc<Access>,
}

impl Server {
    /// Takes the port, so that from now on nobody else can.
    ///
    /// # Errors
    /// [`Error::Usage`] where that cannot be, or where the network could come in without a token.
    pub fn bind(listen: SocketAddr, token: Option<Token>) -> Result<Server> {
        let fail = |e| Error::usage(format!("--listen {listen}: {e}"));
        Access::new(listen, token.clone())?;
        let listener = TcpListener::bind(listen).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let access = Arc::new(Access::new(address, token)?);
        Ok(Server { listener, address, access })
    }

    /// The page's address, with the token.
    pub fn url(&self) -> String {
        let ip = if self.address.ip().is_unspecified() { own_address(self.address.ip()) } else { self.address.ip() };
        let place = SocketAddr::new(ip, self.address.port());
        let token = self.access.token().map_or_else(String::new, |token| format!("?token={token}"));
        format!("http://{place}/{token}")
    }

    /// Serves until `stop`, then finishes what has begun, the pipeline and its recording last.
    ///
    /// # Errors
    /// [`Error::Usage`] where the system starts no more threads; what the recording says that cannot be completed.
    pub fn run(self, station: Arc<Station>, stop: &AtomicBool) -> Result<()> {
        let threads = |e| Error::usage(format!("cannot start threads for the server: {e}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("server")
            .enable_all()
            .build()
            .map_err(threads)?;
        let publisher = {
            let station = Arc::clone(&station);
            std::thread::Builder::new().name("publisher".into()).spawn(move || publish(&station)).map_err(threads)?
        };
        let served = runtime.block_on(self.serve(&station, stop));
        station.stopping.send_replace(true);
        // What downloads is broken off: the client sees that something is missing.
        runtime.shutdown_timeout(GRACE);
        let published = publisher.join();
        let finished = station.finish();
        if let Err(panic) = published {
            std::panic::resume_unwind(panic);
        }
        served.and(finished)
    }

    async fn serve(self, station: &Arc<Station>, stop: &AtomicBool) -> Result<()> {
        let router = router(Arc::clone(station), Arc::clone(&self.access));
        let listener = tokio::net::TcpListener::from_std(self.listener)
            .map_err(|e| Error::usage(format!("{}: {e}", self.address)))?;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut glance = interval(GLANCE);
        while !stop.load(Ordering::Relaxed) {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = glance.tick() => continue,
            };
            match (accepted, Arc::clone(&places).try_acquire_owned()) {
                (Ok((stream, _)), Ok(place)) => {
                    tokio::spawn(connection(stream, router.clone(), Arc::clone(station), place));
                }
                (Ok((stream, _)), Err(_)) => turn_away(&stream),
                // Too many open files, for example: that passes when connections end.
                (Err(_), _) => sleep(GLANCE).await,
            }
        }
        drop(listener);
        station.stopping.send_replace(true);
        // All places are free again when every connection has ended.
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(GRACE, places.acquire_many(all)).await;
        Ok(())
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, station: Arc<Station>, _place: OwnedSemaphorePermit) {
    // Frames are to leave at once; where that cannot be set, they leave a little later.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    // Whatever ends a connection, its client knows.
    tokio::select! {
        _ = timeout(LONGEST, connection.as_mut()) => {}
        () = station.stopped() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(GRACE, connection).await;
        }
    }
}

/// Says that there is no place.
fn turn_away(stream: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    // A new connection's buffer has room for it; if not, the client sees only the end.
    let _ = stream.try_write(FULL);
}

/// The address under which others reach this machine, as far as it has one: that of the interface that packets for elsewhere would leave
/// by. None is sent.
fn own_address(unspecified: IpAddr) -> IpAddr {
    // An address for documentation (RFC 5737, RFC 3849).
    let elsewhere = if unspecified.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let address = || {
        let socket = UdpSocket::bind(SocketAddr::new(unspecified, 0)).ok()?;
        socket.connect(elsewhere).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    address().unwrap_or(unspecified)
}
