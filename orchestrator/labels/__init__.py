"""Labels of texts (what they are about, how abstract) and names of clusters: questions asked as jobs of the queue."""
