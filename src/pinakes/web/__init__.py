"""The pages people look at: from the same service calls the API makes; better with scripts, whole without."""
