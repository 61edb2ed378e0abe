package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.serve.Adapters;
import java.io.IOException;

/** vLLM's {@code /v1/load_lora_adapter} and {@code /v1/unload_lora_adapter}, for adapters of any method. */
final class LoadAdapter implements Route {
    private final Adapters adapters;
    private final boolean load;

    LoadAdapter(Adapters adapters, boolean load) {
        this.adapters = adapters;
        this.load = load;
    }

    @Override
    public void answer(Exchange exchange) throws IOException {
        Fields fields = exchange.body();
        String name = fields.string("lora_name");
        if (load) {
            String path = fields.string("lora_path");
            fields.refuseUnread("they are not supported; leave them out");
            adapters.add(name, path);
        } else {
            fields.integerOrNull("lora_int_id");
            fields.refuseUnread("they are not supported; leave them out");
            adapters.remove(name);
        }
        exchange.send(
                200,
                "text/plain; charset=utf-8",
                "Success: LoRA adapter '" + name + "' " + (load ? "added" : "removed") + " successfully.");
    }
}
