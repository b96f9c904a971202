//! What can be set: the model, its threshold, the light.

use std::sync::PoisonError;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Body, Shared, waiting};
use crate::serve::refusal::Refusal;

#[derive(Serialize)]
pub(super) struct ModelNames {
    model: String,
    models: Vec<String>,
}

pub(super) async fn models(State(station): Shared) -> Answer<Json<ModelNames>> {
    waiting(move || {
        let models = station.models.list().into_iter().map(|choice| choice.name).collect();
        Json(ModelNames { model: station.chosen().model, models })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelName {
    model: String,
}

pub(super) async fn set_model(State(station): Shared, body: Body<ModelName>) -> Answer<Json<Value>> {
    let Json(ModelName { model }) = body?;
    waiting(move || {
        let choice = station.models.named(&model).ok_or_else(|| Refusal::not_found("there is no such model"))?;
        station.choose(choice)?;
        Ok(Json(json!({ "model": model })))
    })
    .await?
}

pub(super) async fn threshold(State(station): Shared) -> Json<Value> {
    Json(json!({ "threshold": station.chosen().threshold }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Threshold {
    threshold: f32,
}

pub(super) async fn set_threshold(State(station): Shared, body: Body<Threshold>) -> Answer<Json<Value>> {
    let Json(Threshold { threshold }) = body?;
    if !(threshold > 0.0 && threshold < 1.0) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "threshold: expected more than 0 and less than 1"));
    }
    waiting(move || {
        station.set_threshold(threshold)?;
        Ok(Json(json!({ "threshold": threshold })))
    })
    .await?
}

#[derive(Serialize)]
pub(super) struct Lamp {
    /// 0 to 1; absent where there is none.
    level: Option<f32>,
    /// Why there is none.
    reason: Option<String>,
}

pub(super) async fn led(State(station): Shared) -> Json<Lamp> {
    Json(match &station.light {
        Ok(light) => {
            let light = light.lock().unwrap_or_else(PoisonError::into_inner);
            Lamp { level: Some(light.level()), reason: None }
        }
        Err(reason) => Lamp { level: None, reason: Some(reason.clone()) },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Level {
    level: f32,
}

pub(super) async fn set_led(State(station): Shared, body: Body<Level>) -> Answer<Json<Value>> {
    let Json(Level { level }) = body?;
    if !(0.0..=1.0).contains(&level) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "level: expected 0 to 1"));
    }
    waiting(move || {
        let light = station.light.as_ref().map_err(Refusal::conflict)?;
        let mut light = light.lock().unwrap_or_else(PoisonError::into_inner);
        light.set_level(level).map_err(|e| Refusal::new(StatusCode::BAD_GATEWAY, e))?;
        Ok(Json(json!({ "level": light.level() })))
    })
    .await?
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use microtome_core::Kernel;

    use super::*;
    use crate::camera::{Address, Options, Size};
    use crate::engine;
    use crate::instrument::{Analysis, Setup};
    use crate::live::{Pipeline, Worker};
    use crate::machine::{Machine, Rows};
    use crate::serve::recordings::factory;
    use crate::serve::{Light, Models, Parts, Recordings, Station};

    struct Bulb(f32);

    impl Light for Bulb {
        fn level(&self) -> f32 {
            self.0
        }

        fn set_level(&mut self, level: f32) -> Result<(), String> {
            if level > 0.9 {
                return Err("the lamp is too hot".into());
            }
            self.0 = level;
            Ok(())
        }
    }

    /// A station over a small simulated camera.
    fn station(light: Result<Box<dyn Light>, String>) -> Shared {
        let camera = Options {
            source: Address::Simulator,
            size: Some(Size { width: 64, height: 48 }),
            fps: None,
            pixel_format: None,
            colour: false,
            every_frame: false,
        };
        let machine = Arc::new(Machine::of(Kernel::best(), NonZeroUsize::MIN, Rows::Exactly(1)).unwrap());
        let worker = move || Worker::new(machine, None, &engine::Options::default(), Analysis::new(Setup::default()));
        let pipeline = Pipeline::start(camera.feed().unwrap(), worker).unwrap();
        let models = Models::new(None, None, engine::Options::default()).unwrap();
        let recordings = Recordings::new(None, factory(crate::record::Keep::default())).unwrap();
        State(Arc::new(Station::new(Parts { pipeline, models, recordings, light, pixel_size_um: None })))
    }

    #[tokio::test]
    async fn a_lamp_is_set_or_says_why_not() {
        let lit = station(Ok(Box::new(Bulb(0.5))));
        let set = |station: &Shared, level| set_led(State(Arc::clone(&station.0)), Ok(Json(Level { level })));
        assert_eq!(set(&lit, 0.25).await.unwrap().0, json!({ "level": 0.25 }));
        assert_eq!(led(State(Arc::clone(&lit.0))).await.level, Some(0.25));
        assert_eq!(set(&lit, 1.0).await.unwrap_err(), Refusal::new(StatusCode::BAD_GATEWAY, "the lamp is too hot"));
        for bad in [-0.1, 1.1, f32::NAN] {
            assert!(set(&lit, bad).await.is_err());
        }
        assert_eq!(led(lit).await.level, Some(0.25));
        let dark = station(Err("there is no lamp".into()));
        assert_eq!(set(&dark, 0.25).await.unwrap_err(), Refusal::conflict("there is no lamp"));
        assert_eq!(led(dark).await.reason.as_deref(), Some("there is no lamp"));
    }
}
