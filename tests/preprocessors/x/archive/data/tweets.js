window.YTD.tweets.part0 = [
  {
    "tweet" : {
      "id_str" : "9",
      "full_text" : "@moss_m hi",
      "entities" : { "hashtags" : [ ], "user_mentions" : [ { "name" : "Moss 🌿", "screen_name" : "moss_m", "indices" : [ "0", "7" ], "id_str" : "222", "id" : "222" } ] }
    }
  }
]
