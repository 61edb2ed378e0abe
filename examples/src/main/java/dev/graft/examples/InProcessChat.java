package dev.graft.examples;

import dev.graft.hub.Hub;
import dev.graft.langchain4j.GraftModels;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.FolderStore;
import dev.graft.serve.engine.Engine;
import dev.graft.tensor.BackgroundThread;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.nio.file.Path;
import java.util.List;

/**
 * Asks a base and one of its adapters a question through LangChain4j, without a server. The arguments are a base with a chat template, such
 * as {@code smollm2}, a folder with a subfolder for each adapter, an adapter's name and a question.
 */
public final class InProcessChat {
    private InProcessChat() {}

    public static void main(String[] args) {
        Path files = new Hub().fetch(args[0]);
        Base base = BackgroundThread.run(() -> Base.load(args[0], files, Base.Options.DEFAULT));
        Chat chat = Chat.load(files, base.tokenizer());
        Adapters adapters = new Adapters(base, "base", new FolderStore(Path.of(args[1])), 1L << 30);
        ChatRequestParameters brief =
                ChatRequestParameters.builder().maxOutputTokens(60).build();
        try (GraftModels models = GraftModels.chats(adapters, chat, Engine.Options.DEFAULT)) {
            for (String name : List.of("base", args[2])) {
                ChatModel model = models.chat(name, brief);
                System.out.println(name + ": " + model.chat(args[3]));
            }
        }
    }
}
