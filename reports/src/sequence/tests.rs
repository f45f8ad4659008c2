//! What the text and the page promise whoever reads them.
