"""What it takes to correct real fields here and in Label Studio, by one scripted reader."""
