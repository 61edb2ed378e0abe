package dev.graft.train;

import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.FlatParameters;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Finds where numbers stopped being finite, in the order in which a step computes them. */
record BadTensor(Adapter adapter, Hooks hooks, FlatParameters parameters) {

    /** In words: a parameter, hidden states, the logits and the loss, or the gradient of a parameter. */
    String find(List<Batch> batches) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (Map.Entry<String, Tensor> parameter : parameters.parameters().entrySet()) {
                if (isBad(parameter.getValue())) {
                    return "the first bad tensor is the parameter " + parameter.getKey();
                }
            }
            for (Batch batch : batches) {
                List<Tensor> hidden = hidden(batch);
                for (int i = 0; i < hidden.size(); i++) {
                    if (isBad(hidden.get(i))) {
                        return "the first bad tensor is the hidden state "
                                + (i == 0 ? "after the embeddings" : "after layer " + (i - 1));
                    }
                }
            }
            for (Map.Entry<String, Tensor> parameter : parameters.parameters().entrySet()) {
                if (isBad(parameter.getValue().grad())) {
                    return "parameters and hidden states are finite, the first bad tensor is the gradient of "
                            + parameter.getKey();
                }
            }
            return "parameters, hidden states and gradients are finite, the loss is not";
        }
    }

    private List<Tensor> hidden(Batch batch) {
        Pass pass = Pass.inference(hooks.tasks(batch.tasks())).withHiddenStates();
        return adapter.base().hidden(Objective.inputs(batch), pass).all();
    }

    private static boolean isBad(Tensor tensor) {
        return tensor.defined() && !Double.isFinite(Tensors.item(tensor.abs().sum()));
    }
}
