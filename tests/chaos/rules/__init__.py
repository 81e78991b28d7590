"""Every rule of DESIGN §4 with the tests that hold it: `make rules` takes each rule out and sees them fail."""
