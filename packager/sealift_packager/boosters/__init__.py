"""XGBoost, LightGBM and CatBoost: ``load`` reads files that hold trees and no code, and fitted objects, through `sealift_packager.trees`."""
