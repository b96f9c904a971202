//! `[diffusion]`: how a network that takes noise out of pictures was trained, and what it can be asked for.
//!
//! What diffusers writes to `scheduler_config.json` has the same keys and values here.

use serde::Deserialize;

/// How a denoising network was trained, and how it is best run. Every key is optional.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Diffusion {
    /// Noise levels, T: timesteps are 0 to T − 1.
    pub num_train_timesteps: usize,
    /// How the noise of a level grows.
    pub beta_schedule: Betas,
    /// The first level's share of noise.
    pub beta_start: f64,
    /// The last level's share of noise.
    pub beta_end: f64,
    /// Whether the levels were scaled until nothing but noise is left at the last one (Lin et al., 2024).
    pub rescale_betas_zero_snr: bool,
    /// What the network says.
    pub prediction_type: Prediction,
    /// Which of the levels a few steps go through.
    pub timestep_spacing: Spacing,
    /// Added to every timestep of `leading`.
    pub steps_offset: usize,
    /// Whether the last step of DDIM ends without any noise, or at the first level.
    pub set_alpha_to_one: bool,
    /// Whether DDIM keeps the picture that it expects within ± `clip_sample_range`.
    pub clip_sample: bool,
    /// See `clip_sample`.
    pub clip_sample_range: f64,
    /// Channels, rows and width of a sample, where ONNX leaves them open.
    pub sample: Option<[usize; 3]>,
    /// A sample's values for black and white.
    pub values: [f32; 2],
    /// What the model's inputs are called.
    pub inputs: Inputs,
    /// The scheduler to take where none is asked for.
    pub scheduler: Scheduler,
    /// Steps where none are asked for.
    pub steps: usize,
    /// Guidance where none is asked for; 1 is none.
    pub guidance: f64,
    /// What can be asked for, in the order of the condition's values.
    pub condition: Vec<Condition>,
}

impl Default for Diffusion {
    fn default() -> Self {
        Diffusion {
            num_train_timesteps: 1000,
            beta_schedule: Betas::Linear,
            beta_start: 0.0001,
            beta_end: 0.02,
            rescale_betas_zero_snr: false,
            prediction_type: Prediction::Epsilon,
            timestep_spacing: Spacing::Leading,
            steps_offset: 0,
            set_alpha_to_one: true,
            clip_sample: true,
            clip_sample_range: 1.0,
            sample: None,
            values: [-1.0, 1.0],
            inputs: Inputs::default(),
            scheduler: Scheduler::Ddim,
            steps: 25,
            guidance: 1.0,
            condition: Vec::new(),
        }
    }
}

/// `inputs`: ONNX's names, by default those of diffusers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Inputs {
    /// The picture with noise, `[1, channels, rows, width]`.
    pub sample: String,
    /// The noise level, `[1]` or `[]`.
    pub timestep: String,
    /// The values of the conditions, `[1, n]`.
    pub condition: String,
}

impl Default for Inputs {
    fn default() -> Self {
        Inputs { sample: "sample".into(), timestep: "timestep".into(), condition: "condition".into() }
    }
}

/// `beta_schedule`: β of T levels.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Betas {
    /// Even from `beta_start` to `beta_end` (Ho et al., 2020).
    Linear,
    /// Its root is (Rombach et al., 2022).
    ScaledLinear,
    /// The picture's share falls as a squared cosine (Nichol and Dhariwal, 2021).
    #[serde(rename = "squaredcos_cap_v2")]
    Cosine,
}

/// `prediction_type`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The picture.
    Sample,
    /// Noise less picture, each by the other's share (Salimans and Ho, 2022).
    VPrediction,
}

/// `timestep_spacing`, as in Table 2 of Lin et al., 2024.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// From T − 1 to 0, both included.
    Linspace,
    /// Multiples of T / steps, 0 included.
    Leading,
    /// T − 1, and every T / steps below it.
    Trailing,
}

/// `scheduler`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Song et al., 2021.
    Ddim,
    /// Euler's method on the probability flow (Karras et al., 2022).
    Euler,
}

/// `[[diffusion.condition]]`: a number, or one of several names.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Condition {
    /// What it is called.
    pub name: String,
    /// Of a number: the one that becomes 0 and the one that becomes 1; no other may lie outside.
    pub range: Option<[f64; 2]>,
    /// Of names: each becomes as many values as there are names, its own 1 and the rest 0.
    pub choices: Vec<String>,
    /// What is taken where nothing is asked for [default: the middle of the range, or the first choice].
    pub default: Option<Setting>,
}

/// A condition's value in TOML.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Setting {
    /// Of a `range`.
    Number(f64),
    /// Of `choices`.
    Name(String),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Setting::Number(number) => number.fmt(f),
            Setting::Name(name) => name.fmt(f),
        }
    }
}

impl Condition {
    /// How many values it takes in the network's input.
    pub fn width(&self) -> usize {
        self.choices.len().max(1)
    }

    /// What is taken where nothing is asked for.
    pub fn preset(&self) -> String {
        match (&self.default, self.range) {
            (Some(setting), _) => setting.to_string(),
            (None, Some([low, high])) => ((low + high) / 2.0).to_string(),
            (None, None) => self.choices.first().cloned().unwrap_or_default(),
        }
    }

    /// The network's values, [`width`](Condition::width) of them, for what was asked.
    ///
    /// # Errors
    /// One sentence when `asked` is no number in the range, or none of the choices.
    pub fn encode(&self, asked: &str) -> Result<Vec<f32>, String> {
        let name = &self.name;
        if let Some([low, high]) = self.range {
            let value = asked.parse::<f64>().ok().filter(|value| (low..=high).contains(value));
            let value = value.ok_or_else(|| format!("{name} is `{asked}`, expected a number from {low} to {high}"))?;
            return Ok(vec![((value - low) / (high - low)) as f32]);
        }
        if !self.choices.iter().any(|choice| choice == asked) {
            return Err(format!("{name} is `{asked}`, expected one of {}", self.choices.join(", ")));
        }
        Ok(self.choices.iter().map(|choice| f32::from(u8::from(choice == asked))).collect())
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if name.is_empty() || name.contains(['=', ',']) {
            return Err(format!("a condition is called `{name}`, expected a name without `=` and `,`"));
        }
        if self.range.is_some() != self.choices.is_empty() {
            return Err(format!("condition {name} needs either a range or choices"));
        }
        if let Some([low, high]) = self.range.filter(|[low, high]| !(low.is_finite() && high.is_finite() && low < high))
        {
            return Err(format!("the range of {name} is [{low}, {high}], expected two numbers, the smaller one first"));
        }
        self.encode(&self.preset()).map(|_| ())
    }
}

impl Diffusion {
    pub(super) fn check(&self) -> Result<(), String> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        if self.num_train_timesteps < 2 {
            return Err(format!("num_train_timesteps is {}, expected at least 2", self.num_train_timesteps));
        }
        let [start, end] = [self.beta_start, self.beta_end];
        if !(start > 0.0 && start <= end && end < 1.0) {
            return Err(format!("beta_start and beta_end are {start} and {end}, expected 0 < start <= end < 1"));
        }
        if self.steps == 0 || self.steps > self.num_train_timesteps {
            return Err(format!("steps is {}, expected 1 to {}", self.steps, self.num_train_timesteps));
        }
        if !positive(self.clip_sample_range) {
            return Err(format!("clip_sample_range is {}, expected a positive number", self.clip_sample_range));
        }
        let [black, white] = self.values;
        if !(black.is_finite() && white.is_finite() && black != white) {
            return Err(format!("values is [{black}, {white}], expected those of black and white"));
        }
        if !self.guidance.is_finite() {
            return Err(format!("guidance is {}, expected a number", self.guidance));
        }
        if self.sample.is_some_and(|sides| sides.contains(&0)) {
            return Err("a side of sample is 0, expected [channels, rows, width]".into());
        }
        self.condition.iter().try_for_each(Condition::check)
    }
}

#[cfg(test)]
mod tests {
    use crate::Description;

    fn refused(text: &str) -> String {
        Description::parse(&format!("[diffusion]\n{text}")).unwrap_err().to_string()
    }

    #[test]
    fn conditions_become_values() {
        let text = "[[diffusion.condition]]\nname = \"density\"\nrange = [2, 12]\ndefault = 7\n\
            [[diffusion.condition]]\nname = \"stain\"\nchoices = [\"he\", \"dapi\"]\n";
        let diffusion = Description::parse(text).unwrap().diffusion.unwrap();
        let [density, stain] = &diffusion.condition[..] else { panic!("{diffusion:?}") };
        assert_eq!(density.encode(&density.preset()).unwrap(), [0.5]);
        assert_eq!(stain.encode(&stain.preset()).unwrap(), [1.0, 0.0]);
        assert_eq!(stain.encode("dapi").unwrap(), [0.0, 1.0]);
        assert_eq!(density.encode("12.5").unwrap_err(), "density is `12.5`, expected a number from 2 to 12");
        assert_eq!(stain.encode("pas").unwrap_err(), "stain is `pas`, expected one of he, dapi");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused("beta_end = 2").contains("beta_start and beta_end are 0.0001 and 2"));
        assert!(refused("steps = 0").contains("steps is 0, expected 1 to 1000"));
        assert!(refused("prediction_type = \"noise\"").contains("noise"));
        assert!(refused("betas = 1").contains("betas"));
        assert!(refused("[[diffusion.condition]]\nname = \"a\"").contains("condition a needs either"));
        let wrong = "[[diffusion.condition]]\nname = \"a\"\nrange = [0, 1]\ndefault = 3";
        assert!(refused(wrong).contains("a is `3`, expected a number from 0 to 1"));
    }

    #[test]
    fn a_config_of_diffusers_has_the_same_keys() {
        let text = "[diffusion]\nbeta_schedule = \"scaled_linear\"\nbeta_start = 0.00085\nbeta_end = 0.012\nclip_sample = false\n\
            num_train_timesteps = 1000\nset_alpha_to_one = false\nsteps_offset = 1\nprediction_type = \"epsilon\"\n\
            timestep_spacing = \"leading\"\nrescale_betas_zero_snr = false\n";
        let found = Description::parse(text).unwrap().diffusion.unwrap();
        assert_eq!((found.beta_start, found.steps_offset, found.clip_sample), (0.00085, 1, false));
    }
}
