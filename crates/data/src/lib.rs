//! Image data for percept: datasets, splits, transforms, digit preparation and readers of image files.
