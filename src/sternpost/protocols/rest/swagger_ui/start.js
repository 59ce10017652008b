// Starts Swagger UI on this host's own description. Nothing is loaded from anywhere else.
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: document.getElementById("swagger-ui").dataset.url,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    persistAuthorization: false,
    validatorUrl: null,
    tryItOutEnabled: true,
    plugins: [SternpostFilters],
  });
});
