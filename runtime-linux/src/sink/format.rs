//! What `run` and a recording can write.

use serde::{Deserialize, Serialize};

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// NAME_frame.png: the frame, corrected where the instrument's profile says so
    Frames,
    /// NAME_mask.png: class indices
    Masks,
    /// NAME_labels.png: one value per object, 16-bit grey PNG
    Labels,
    /// NAME_labels.tif: the same as TIFF
    LabelTiff,
    /// NAME_overlay.png: the frame with outlines
    Overlay,
    /// objects.csv: a line per object
    Csv,
    /// objects.jsonl: the same as JSON lines
    Jsonl,
    /// ecotaxa.zip: a table and a vignette per object, to upload to EcoTaxa
    Ecotaxa,
    /// NAME_rois.zip: regions for ImageJ's ROI manager, one file per frame or stack
    Roi,
    /// NAME.geojson: polygons with measurements, for QuPath
    Geojson,
    /// coco.json: annotations of all frames in the format of COCO
    Coco,
    /// NAME.ome.tif: frame and labels as OME-TIFF
    OmeTiff,
    /// NAME.ome.zarr: frame and labels as OME-Zarr 0.5
    #[cfg(feature = "zarr")]
    OmeZarr,
}

impl Format {
    /// What is written unless something else is asked for.
    pub const USUAL: [Format; 4] = [Format::Masks, Format::Labels, Format::Overlay, Format::Csv];
    /// What a recording keeps unless something else is asked for: nothing can be measured again without the frames.
    pub const RECORDED: [Format; 3] = [Format::Frames, Format::Labels, Format::Csv];

    /// Whether a [`Journal`](super::Journal) is enough to complete it: a file per frame, or a table of lines. The archives over many frames
    /// are not.
    pub fn can_be_resumed(self) -> bool {
        !matches!(self, Format::Ecotaxa | Format::Roi | Format::Coco)
    }
}
