document.title = "Hansard";
