//! Results to an MQTT broker: for dashboards, loggers and home-made automation.
//!
//! Under the topic that the user names: `frame`, a report of every frame, without its objects; `objects`, the same with them;
//! `status`, retained, `online` or `offline` (by the broker itself, should this process vanish).
//!
//! Invariant: a broker that is slow or gone holds nobody up. What it does not take is dropped and counted, and it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Outgoing, Packet, QoS, RecvTimeoutError};

use super::Observation;
use crate::error::{Error, Result};

const PORT: u16 = 1883;
/// Messages that may wait for the network.
const QUEUE: usize = 32;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(100);
/// How long the last messages may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Broker and topic: `mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    login: Option<(String, String)>,
    topic: String,
}

/// Without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mqtt://{}:{}/{}", self.host, self.port, self.topic)
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC".to_owned();
        let rest = text.strip_prefix("mqtt://").ok_or_else(wrong)?;
        let (place, topic) = rest.split_once('/').ok_or_else(wrong)?;
        let (login, place) = place.rsplit_once('@').map_or((None, place), |(login, place)| (Some(login), place));
        let login = match login {
            Some(login) => {
                let (user, password) = login.split_once(':').ok_or_else(wrong)?;
                Some((user.into(), password.into()))
            }
            None => None,
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (place, PORT),
        };
        let topic = topic.trim_end_matches('/');
        if host.is_empty() || topic.is_empty() || topic.contains(['#', '+', '\0']) {
            return Err(wrong());
        }
        Ok(Address { host: host.into(), port, login, topic: topic.into() })
    }
}

#[derive(Default)]
struct Shared {
    connected: AtomicBool,
    stop: AtomicBool,
}

/// A connection to a broker that is kept up by a thread.
pub struct Publisher {
    client: Client,
    topic: String,
    dropped: u64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Connects to `address`, now or as soon as it is there. What changes with the connection is told by `tell`.
    ///
    /// # Errors
    /// [`Error::Usage`] when the system starts no more threads.
    pub fn start(address: &Address, tell: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let Address { host, port, login, topic } = address;
        let mut options = MqttOptions::new(format!("microtome-{}", std::process::id()), host, *port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_last_will(LastWill::new(format!("{topic}/status"), "offline", QoS::AtLeastOnce, true));
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        let (client, connection) = Client::new(options, QUEUE);
        let shared = Arc::new(Shared::default());
        let keeper = Keeper {
            client: client.clone(),
            status: format!("{topic}/status"),
            place: format!("{address:?}"),
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new()
            .name("mqtt".into())
            .spawn(move || keeper.keep(connection, tell))
            .map_err(|e| Error::usage(format!("cannot start a thread for MQTT: {e}")))?;
        Ok(Publisher { client, topic: topic.clone(), dropped: 0, shared, thread: Some(thread) })
    }

    /// Publishes an observation, if the broker is there and there is room for it.
    pub fn publish(&mut self, observation: &Observation) {
        if !self.shared.connected.load(Ordering::Relaxed) {
            self.dropped += 2;
            return;
        }
        let name = observation.number.to_string();
        for (topic, with_objects) in [("frame", false), ("objects", true)] {
            let payload = serde_json::to_vec(&observation.report(&name, with_objects)).unwrap_or_default();
            let topic = format!("{}/{topic}", self.topic);
            if self.client.try_publish(topic, QoS::AtMostOnce, false, payload).is_err() {
                self.dropped += 1;
            }
        }
    }

    /// Messages for which there was no broker or no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // Where there is no room for these, the broker's own message says the same later.
        let _ = self.client.try_publish(format!("{}/status", self.topic), QoS::AtLeastOnce, true, "offline");
        let _ = self.client.try_disconnect();
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its own message.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Keeper {
    client: Client,
    status: String,
    place: String,
    shared: Arc<Shared>,
}

impl Keeper {
    fn keep(self, mut connection: Connection, mut tell: impl FnMut(&str)) {
        let mut failed = String::new();
        let (mut greet, mut stopped) = (false, None);
        loop {
            let stop = self.shared.stop.load(Ordering::Relaxed);
            if stop && stopped.get_or_insert_with(Instant::now).elapsed() > FAREWELL {
                return;
            }
            if greet {
                greet = self.client.try_publish(&self.status, QoS::AtLeastOnce, true, "online").is_err();
            }
            match connection.recv_timeout(GLANCE) {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    (failed, greet) = (String::new(), true);
                    self.shared.connected.store(true, Ordering::Relaxed);
                    tell(&format!("connected to {}", self.place));
                }
                Ok(Ok(Event::Outgoing(Outgoing::Disconnect))) => return,
                Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Err(_)) if stop => return,
                Ok(Err(error)) => {
                    self.shared.connected.store(false, Ordering::Relaxed);
                    let reason = format!("{}: {error}; trying again", self.place);
                    if failed != reason {
                        tell(&reason);
                    }
                    failed = reason;
                    std::thread::sleep(RETRY);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let address: Address = "mqtt://me:se@cret@broker:1884/lab/scope/".parse().unwrap();
        let login = Some(("me".into(), "se@cret".into()));
        assert_eq!(address, Address { host: "broker".into(), port: 1884, login, topic: "lab/scope".into() });
        assert!(!format!("{address:?}").contains("cret"));
        let plain: Address = "mqtt://broker/a".parse().unwrap();
        assert_eq!((plain.port, plain.login), (PORT, None));
        for bad in ["broker/a", "mqtt://broker", "mqtt://broker/", "mqtt:///a", "mqtt://broker/a/#", "mqtt://b:x/a"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
