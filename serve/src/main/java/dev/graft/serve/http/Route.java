package dev.graft.serve.http;

import java.io.IOException;

/** Answers a kind of request. */
interface Route {
    void handle(Exchange exchange) throws IOException;
}
