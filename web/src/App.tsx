// The routes, and who may see them.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, Outlet, RouterProvider } from "@tanstack/react-router";
import { Refusal } from "./api/client";
import { base } from "./api/session";
import { followIntoCache } from "./api/cache";
import { Entrance } from "./entrance/Entrance";
import { DropZone } from "./library/DropZone";
import { Library } from "./library/Library";
import { t } from "./strings";
import { Toasts } from "./ui/toasts";
import { Unreachable } from "./ui/Unreachable";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      // What the server refused it refuses again; that it is gone may pass.
      retry: (count, error) => !(error instanceof Refusal) && count < 3,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
followIntoCache(client);

const root = createRootRoute({
  component: () => (
    <>
      <Unreachable />
      <Entrance>
        <DropZone>
          <Outlet />
        </DropZone>
      </Entrance>
      <Toasts />
    </>
  ),
  notFoundComponent: () => (
    <main className="nothing">
      <h1>{t.pageMissing}</h1>
      <Link to="/">{t.toLibrary}</Link>
    </main>
  ),
});
const library = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: Library,
  validateSearch: (search: Record<string, unknown>): { q?: string } => (typeof search.q === "string" && search.q ? { q: search.q } : {}),
});
const recording = createRoute({
  getParentRoute: () => root,
  path: "/r/$id",
  component: lazyRouteComponent(() => import("./recording/Recording"), "Recording"),
  validateSearch: (search: Record<string, unknown>): { t?: number } => {
    const at = Number(search.t);
    return search.t !== undefined && Number.isFinite(at) ? { t: at } : {};
  },
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./settings/Settings"), "Settings"),
});
// Below the settings, so that going from one page to the next leaves them standing.
const settingsPage = createRoute({ getParentRoute: () => settings, path: "$page" });
const recordings = createRoute({
  getParentRoute: () => root,
  path: "/recordings",
  component: lazyRouteComponent(() => import("./recordings/Recordings"), "Recordings"),
});

const router = createRouter({
  routeTree: root.addChildren([library, recording, recordings, settings.addChildren([settingsPage])]),
  basepath: new URL(base).pathname,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

export function App() {
  return (
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
}
