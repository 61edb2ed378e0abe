package dev.graft.serve;

import dev.graft.models.generate.GeneratedText;
import java.util.List;

/** Receives the tokens of a generated text. Called by the engine's thread, so it must never block. */
public interface GenerationListener {
    /**
     * Called with the prompt's tokens before the first generated one, if the {@link GenerationRequest} wants them. The first token has no
     * probability.
     */
    default void onPromptTokens(List<TokenLogprob> tokens) {}

    /**
     * Called for each generated token.
     *
     * @param text the new complete characters; empty while a character is incomplete
     */
    void onToken(TokenLogprob token, String text);

    /** Called when the text has ended. */
    void onFinish(Result result);

    /** Called when the request fails: the engine stops, the deadline has passed, or the model failed. */
    void onError(RuntimeException why);

    /**
     * Called once, last, when the engine no longer uses the text and its adapter, also after a failure or a cancellation.
     */
    default void onRelease() {}

    /**
     * The result of a generated text.
     *
     * @param promptTokens the number of prompt tokens
     * @param cachedTokens the number of prompt tokens that came from the prompt cache
     */
    record Result(GeneratedText generated, int promptTokens, int cachedTokens) {}
}
