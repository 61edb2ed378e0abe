package dev.graft.train;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.optim.FlatParameters;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Finds where numbers stopped being finite, in the order in which a step computes them. */
record NonFiniteFinder(Adapter adapter, Hooks hooks, FlatParameters parameters) {

    /** Names the first in words: a parameter, hidden states, the logits and the loss, or the gradient of a parameter. */
    String find(List<Batch> batches) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Map.Entry<String, Tensor> parameter : parameters.parameters().entrySet()) {
                if (isNonFinite(parameter.getValue())) {
                    return "the first bad tensor is the parameter " + parameter.getKey();
                }
            }
            for (Batch batch : batches) {
                List<Tensor> hidden = hidden(batch);
                for (int i = 0; i < hidden.size(); i++) {
                    if (isNonFinite(hidden.get(i))) {
                        return "the first bad tensor is the hidden state "
                                + (i == 0 ? "after the embeddings" : "after layer " + (i - 1));
                    }
                }
            }
            for (Map.Entry<String, Tensor> parameter : parameters.parameters().entrySet()) {
                if (isNonFinite(parameter.getValue().grad())) {
                    return "parameters and hidden states are finite, the first bad tensor is the gradient of "
                            + parameter.getKey();
                }
            }
            return "parameters, hidden states and gradients are finite, the loss is not";
        }
    }

    private List<Tensor> hidden(Batch batch) {
        ForwardPass pass = ForwardPass.inference(hooks.forTasks(batch.tasks())).withHiddenStates();
        return adapter.base().forward(LossFunction.inputs(batch), pass).all();
    }

    private static boolean isNonFinite(Tensor tensor) {
        return tensor.defined() && !Double.isFinite(Tensors.item(tensor.abs().sum()));
    }
}
