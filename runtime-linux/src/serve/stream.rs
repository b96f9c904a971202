//! Frames to a page, over a WebSocket.
//!
//! For an observation, a text with its JSON and a binary message with its JPEG; in between, twice a second, the status. The page answers
//! with the number of each frame that it has drawn. No more than [`AHEAD`] frames are on their way: a slow phone gets fewer frames, and
//! always the newest. The answer also tells how long it took from the frame's arrival until somebody saw it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use super::publisher::{Published, Shown};
use super::refusal::Refusal;
use super::station::Station;

/// Frames that are sent before the first of them is drawn. More than one, so that the way there and back costs no frames.
const AHEAD: usize = 2;
/// Most bytes that a client may say at once: the number of a frame.
const SAID: usize = 64;
/// A client that takes no bytes, or draws nothing of what it got, for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the status is sent.
const STATUS: Duration = Duration::from_millis(500);

/// `GET /api/stream`.
pub async fn stream(State(station): State<Arc<Station>>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = Arc::clone(&station.watchers).try_acquire_owned() else {
        return Refusal::busy("too many pages are open; close one").into_response();
    };
    let upgrade = upgrade.max_message_size(SAID).max_frame_size(SAID);
    upgrade.on_upgrade(move |socket| async move {
        let _permit = permit;
        let newest = station.newest.subscribe();
        // However it ends, there is nobody to tell.
        let _ = Watcher { station, socket, on_their_way: VecDeque::new() }.watch(newest).await;
    })
}

struct Watcher {
    station: Arc<Station>,
    socket: WebSocket,
    /// Numbers of the frames that are not drawn yet, when they arrived from the camera, and when they were sent.
    on_their_way: VecDeque<(u64, Instant, Instant)>,
}

/// The stream is over.
struct Over;

impl Watcher {
    async fn watch(mut self, mut newest: watch::Receiver<Option<Arc<Published>>>) -> Result<(), Over> {
        newest.mark_changed();
        let stopped = self.station.stopped();
        tokio::pin!(stopped);
        let mut status = interval(STATUS);
        loop {
            tokio::select! {
                said = self.socket.recv() => self.hear(said)?,
                changed = newest.changed(), if self.on_their_way.len() < AHEAD => {
                    changed.map_err(|_| Over)?;
                    let published = newest.borrow_and_update().clone();
                    if let Some(published) = published {
                        self.show(published).await?;
                    }
                }
                _ = status.tick() => {
                    if self.on_their_way.front().is_some_and(|(_, _, sent)| sent.elapsed() > PATIENCE) {
                        return Err(Over);
                    }
                    let text = serde_json::to_string(&self.station.status()).map_err(|_| Over)?;
                    self.send(Message::Text(text.into())).await?;
                }
                () = &mut stopped => {
                    let goodbye = CloseFrame { code: close_code::AWAY, reason: "the server stops".into() };
                    return self.send(Message::Close(Some(goodbye))).await;
                }
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Over> {
        timeout(PATIENCE, self.socket.send(message)).await.map_err(|_| Over)?.map_err(|_| Over)
    }

    /// Sends a frame.
    async fn show(&mut self, published: Arc<Published>) -> Result<(), Over> {
        let (number, received) = (published.observation.number, published.observation.shot.received);
        let Shown { text, jpeg } = shown(&self.station, published).await?;
        self.on_their_way.push_back((number, received, Instant::now()));
        self.send(Message::Text(text)).await?;
        self.send(Message::Binary(jpeg)).await
    }

    /// The page has drawn a frame. Whoever says anything else is no page of ours.
    fn hear(&mut self, said: Option<Result<Message, axum::Error>>) -> Result<(), Over> {
        match said {
            Some(Ok(Message::Text(text))) => {
                let drawn: u64 = text.parse().map_err(|_| Over)?;
                while self.on_their_way.front().is_some_and(|(number, ..)| *number <= drawn) {
                    let Some((number, received, _)) = self.on_their_way.pop_front() else { break };
                    if number == drawn {
                        self.station.run().shown(received.elapsed());
                    }
                }
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => Err(Over),
        }
    }
}

/// Text and picture: made already, unless this is the first page and the frame came before it.
async fn shown(station: &Arc<Station>, published: Arc<Published>) -> Result<Shown, Over> {
    if let Some(shown) = published.made() {
        return Ok(shown.clone());
    }
    let station = Arc::clone(station);
    tokio::task::spawn_blocking(move || published.shown(&station).clone()).await.map_err(|_| Over)
}
