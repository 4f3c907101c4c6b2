"""HTTP: routes, parameters, bearer tokens and problem documents. A face of `ContentService`, nothing more."""
