//! What cannot be taken is refused with a sentence, and nothing panics.

mod common;

use microtome_compiler::{Compiler, Description, Error, Model, Options};

fn compile(model: &Model) -> Result<Vec<u8>, Error> {
    let description = Description::default();
    let port = &model.inputs().first().map(|p| p.shape.clone()).unwrap_or_default();
    let side = |i: usize, free: usize| port.get(i).copied().flatten().unwrap_or(free).min(64);
    let images = common::images(side(1, 1), side(2, 32), side(3, 48), 1);
    Compiler::new(model, &description, Options::default()).calibrate(images).compile().map(|c| c.plan)
}

#[test]
fn operators_outside_core_are_named() {
    for (name, words) in [
        ("bad_operator", &["LRN", "norm", "size=3"][..]),
        ("bad_transpose", &["Transpose", "turn", "perm=[0, 2, 3, 1]"]),
        ("bad_reduce", &["ReduceMean", "mean", "axes=[1]", "expected rows and width"]),
        ("bad_weights", &["odd"]),
    ] {
        let message = compile(&common::load(name)).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{name}: {message}");
        assert!(!message.contains('\n'), "{name}: {message}");
    }
}

#[test]
fn no_images_is_an_error() {
    let (model, description) = (common::load("unet_ts17"), Description::default());
    let error = Compiler::new(&model, &description, Options::default()).compile().unwrap_err();
    assert!(matches!(error, Error::Calibration(_)), "{error}");
}

#[test]
fn files_that_are_no_models() {
    assert!(matches!(Model::load(common::path("absent.onnx")), Err(Error::Read { .. })));
    for bytes in [&b""[..], b"not a model", &[0xff; 64], include_bytes!("fixtures/generate.py")] {
        assert!(matches!(Model::parse(bytes, None), Err(Error::NotOnnx(_))));
    }
}

/// Weights that lie in another file are put into what is written.
#[test]
fn one_file_holds_all_weights() {
    let dir = std::env::temp_dir().join(format!("microtome-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let weights: Vec<u8> = (0..36u8).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    std::fs::write(dir.join("gone.data"), weights).unwrap();
    let bytes = std::fs::read(common::path("refusals/external.onnx")).unwrap();
    let model = Model::parse(&bytes, Some(&dir)).unwrap();
    let image = common::images(1, 8, 8, 1);
    let expected = model.run_float(&image).unwrap();
    let written = model.to_onnx("").unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let alone = Model::parse(&written, None).unwrap();
    assert_eq!(alone.run_float(&image).unwrap(), expected);
}

/// Bytes of real models, changed or cut at random: an error or a plan, never a panic of ours.
#[test]
fn mutations_never_panic() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below
    };
    for name in ["unet_ts17", "mobile_ts14", "shapes_ts17", "single_conv_u8", "qdq_s8"] {
        let bytes = std::fs::read(common::path(&format!("{name}.onnx"))).unwrap();
        for round in 0..40 {
            let mut mutated = bytes.clone();
            for _ in 0..1 + random(4) {
                let at = random(mutated.len());
                mutated[at] = random(256) as u8;
            }
            if round % 5 == 0 {
                mutated.truncate(random(bytes.len()));
            }
            if let Ok(model) = Model::parse(&mutated, None) {
                let _ = compile(&model);
            }
        }
    }
}
