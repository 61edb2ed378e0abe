package dev.graft.serve;

import dev.graft.models.generate.Generated;
import java.util.List;

/** Hears how a text grows. Called by the engine's thread, so it must not wait for anything. */
public interface Listener {
    /** The tokens of the prompt, before the first other one, where the {@link Ask} wants them. The first of them has no probability. */
    default void prompt(List<Token> tokens) {}

    /**
     * The next token.
     *
     * @param text what is certain to come next; may be empty, as where a character isn't whole yet
     */
    void token(Token token, String text);

    /** The text has ended. */
    void ended(Ended ended);

    /** The text won't end: the engine stops, its time is over, or the model failed. */
    void failed(RuntimeException why);

    /** The engine has let go of the text and of its adapter, however it ended, cancelled too. Called once, after all else. */
    default void left() {}

    /**
     * What came of it.
     *
     * @param promptTokens how many tokens the prompt has
     * @param cachedTokens how many of those were known from an earlier prompt
     */
    record Ended(Generated generated, int promptTokens, int cachedTokens) {}
}
