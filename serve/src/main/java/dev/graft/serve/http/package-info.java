/** The engine over HTTP, as OpenAI's clients speak it. */
@NullMarked
package dev.graft.serve.http;

import org.jspecify.annotations.NullMarked;
