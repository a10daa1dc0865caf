"""Collaborative filtering: a rating is the dot product of a user's and an item's embedding, and a bias of each."""

import numpy as np

import thalweg as keras
from thalweg import layers, ops

USERS, ITEMS, EMBEDDING_SIZE = 80, 60, 5


class Recommender(keras.Model):
    """The match of users and items, between 0 and 1."""

    def __init__(self, num_users, num_items, embedding_size, **kwargs):
        super().__init__(**kwargs)
        l2 = keras.regularizers.l2(1e-6)
        self.user_embedding = layers.Embedding(
            num_users, embedding_size, embeddings_initializer="he_normal", embeddings_regularizer=l2
        )
        self.user_bias = layers.Embedding(num_users, 1)
        self.item_embedding = layers.Embedding(
            num_items, embedding_size, embeddings_initializer="he_normal", embeddings_regularizer=l2
        )
        self.item_bias = layers.Embedding(num_items, 1)

    def call(self, inputs):
        user, item = inputs[:, 0], inputs[:, 1]
        match = ops.sum(self.user_embedding(user) * self.item_embedding(item), axis=1, keepdims=True)
        return ops.sigmoid(match + self.user_bias(user) + self.item_bias(item))


keras.utils.set_random_seed(0)
draw = np.random.default_rng(0)
tastes, kinds = draw.normal(size=(USERS, 2)), draw.normal(size=(ITEMS, 2))
popularity = draw.normal(size=ITEMS)
pairs = draw.permutation([(user, item) for user in range(USERS) for item in range(ITEMS)])[:4000]
liking = np.sum(tastes[pairs[:, 0]] * kinds[pairs[:, 1]], axis=1) + popularity[pairs[:, 1]]
stars = np.clip(np.round(3 + liking), 1, 5)
x, y = pairs.astype("int32"), ((stars - 1) / 4).astype("float32")  # stars, normalized
x_train, y_train, x_val, y_val = x[:3600], y[:3600], x[3600:], y[3600:]

model = Recommender(USERS, ITEMS, EMBEDDING_SIZE)
model.compile(loss="mse", optimizer=keras.optimizers.Adam(learning_rate=0.01))
history = model.fit(x_train, y_train, batch_size=64, epochs=30, verbose=0, validation_data=(x_val, y_val))

error = history.history["val_loss"][-1]
mean_of_item = np.array([y_train[x_train[:, 1] == item].mean() for item in range(ITEMS)])
baseline = np.mean((mean_of_item[x_val[:, 1]] - y_val) ** 2)
assert error < 0.5 * baseline

user = 7
seen = pairs[pairs[:, 0] == user][:, 1]
unseen = np.setdiff1d(np.arange(ITEMS), seen)
ratings = model.predict(np.stack([np.full_like(unseen, user), unseen], axis=1), verbose=0)[:, 0]
best = unseen[np.argsort(-ratings)[:3]]
print(f"collaborative filtering: error {error:.4f}, by each item's mean {baseline:.4f}; user {user} will like {best}")
