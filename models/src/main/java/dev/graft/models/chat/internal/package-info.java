/**
 * The part of Jinja that chat templates use, with the semantics of jinja2 3.1 (trim_blocks, lstrip_blocks, immutable sandbox). A construct
 * outside this part is an error that names it and its line.
 */
@NullMarked
package dev.graft.models.chat.internal;

import org.jspecify.annotations.NullMarked;
