package dev.graft.serve.http;

import java.io.IOException;

/** Answers a kind of request. */
interface Route {
    void answer(Exchange exchange) throws IOException;
}
