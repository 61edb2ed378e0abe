/** Bases and adapters as models of LangChain4j, in the same process. */
@NullMarked
package dev.graft.langchain4j;

import org.jspecify.annotations.NullMarked;
